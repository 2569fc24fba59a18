//! A text as it is shown to whoever judges it: nothing hidden, nothing that a terminal takes for a command.

use omni_screen::dangerous;

use crate::cli::printable::printable;

/// The text with what nobody would see written out.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for (range, _) in dangerous(text) {
        shown.push_str(&lines(&text[at..range.start]));
        for c in text[range.clone()].chars() {
            shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        }
        at = range.end;
    }
    shown.push_str(&lines(&text[at..]));
    shown
}

/// What the terminal itself would take for a command; ends of lines and tabs are none.
fn lines(text: &str) -> String {
    text.split_inclusive(['\n', '\t'])
        .map(|line| {
            let end = line.len() - usize::from(line.ends_with(['\n', '\t']));
            printable(line[..end].trim_end_matches('\r')) + &line[end..]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn cfg_3_hidden_characters_are_shown() {
        assert_eq!(
            visible("a\tb\r\nc\u{202e}d\u{e0041}\u{1b}[2J\n"),
            "a\tb\nc\\u{202e}d\\u{e0041}\\u{1b}\\u{5b}\\u{32}\\u{4a}\n"
        );
    }
}
