//! The known word nearest to one that is not known.

/// Longest word compared: distances cost the product of both lengths.
const WORD_CHARS_MAX: usize = 64;

/// What other systems call our keys; no distance would find these.
const FOREIGN: &[(&str, &str)] = &[
    ("environment", "env"),
    ("workingdirectory", "cwd"),
    ("working_directory", "cwd"),
    ("directory", "cwd"),
    ("mcpservers", "servers"),
    ("externalservers", "servers"),
    ("serverurl", "url"),
    ("endpoint", "url"),
    ("timeout", "timeout_s"),
    ("logging", "log"),
    ("arguments", "args"),
    ("cmd", "command"),
];

/// The candidate that was probably meant, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    if word.chars().count() > WORD_CHARS_MAX {
        return None;
    }
    let foreign = FOREIGN.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours);
    let allowed = (word.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if Some(candidate) == foreign {
            return Some(candidate);
        }
        let distance = distance(&word, &candidate.to_lowercase());
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().take(WORD_CHARS_MAX).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut least = (last[j + 1] + 1).min(row[j] + 1).min(last[j] + usize::from(a != b));
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant() {
        let known = ["command", "args", "env", "cwd", "url", "headers", "timeout_s"];
        for (word, meant) in [
            ("comand", Some("command")),
            ("Command", Some("command")),
            ("agrs", Some("args")),
            ("environment", Some("env")),
            ("workingDirectory", Some("cwd")),
            ("timeout", Some("timeout_s")),
            ("header", Some("headers")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), meant, "{word}");
        }
        assert_eq!(nearest(&"command".repeat(100), known.into_iter()), None);
    }
}
