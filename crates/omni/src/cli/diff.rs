//! What a change of one place in a text looks like, line by line, with secrets left out.

use std::fmt::Write;
use std::path::Path;

use crate::cli::secrets::masked;

/// Longest line shown: a client may keep its whole file in one.
const LINE_CHARS_MAX: usize = 400;
/// Unchanged lines shown on either side.
const CONTEXT_LINES: usize = 2;

/// A unified diff with one hunk, from the first to the last line that differs; empty when nothing does.
pub(crate) fn unified(path: &Path, before: &str, after: &str) -> String {
    compared(path, before, after, &masked)
}

/// The same with nothing left out, for a text that somebody has to judge.
pub(crate) fn whole(path: &Path, before: &str, after: &str) -> String {
    compared(path, before, after, &|line| line.to_owned())
}

fn compared(path: &Path, before: &str, after: &str, shown_as: &dyn Fn(&str) -> String) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    if before == after {
        return String::new();
    }
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let start = head.saturating_sub(CONTEXT_LINES);
    let stop = tail.min(CONTEXT_LINES);
    let mut text = String::new();
    let _ = writeln!(text, "--- {0}\n+++ {0}", path.display());
    let counts = (old_end + stop - start, new_end + stop - start);
    let _ = writeln!(text, "@@ -{},{} +{},{} @@", start + 1, counts.0, start + 1, counts.1);
    for (sign, lines) in [
        (' ', &old[start..head]),
        ('-', &old[head..old_end]),
        ('+', &new[head..new_end]),
        (' ', &old[old_end..old_end + stop]),
    ] {
        for line in lines {
            let line = shown_as(line);
            let shown: String = line.chars().take(LINE_CHARS_MAX).collect();
            let _ = writeln!(text, "{sign}{shown}{}", if shown.len() < line.len() { " …" } else { "" });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_changed_and_two_lines_around() {
        let before = "1\n2\n3\n4\n5\n6\n";
        let after = "1\n2\n3\nx\ny\n5\n6\n";
        assert_eq!(
            unified(Path::new("f"), before, after),
            "--- f\n+++ f\n@@ -2,5 +2,6 @@\n 2\n 3\n-4\n+x\n+y\n 5\n 6\n"
        );
        assert_eq!(unified(Path::new("f"), before, before), "");
        assert_eq!(unified(Path::new("f"), "", "a\n"), "--- f\n+++ f\n@@ -1,0 +1,1 @@\n+a\n");
        assert_eq!(unified(Path::new("f"), "a\na\n", "a\na\na\n").matches("\n+").count(), 2, "one header, one line");
    }
}
