//! Path patterns: `*` and `?` within a name, `**` across names, `[a-z]` classes and `{a,b}` alternatives.

use crate::mcp::failure::Failure;

/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_024;
/// How many patterns the alternatives of one may unfold to.
const ALTERNATIVES_MAX: usize = 64;

/// A pattern ready to match relative paths with `/` between their names.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Each alternative as its names, split at `/`.
    alternatives: Vec<Vec<Vec<char>>>,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, Failure> {
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
            return Err(Failure::new(format!("a pattern must have 1 to {PATTERN_BYTES_MAX} bytes")));
        }
        let mut unfolded = Vec::new();
        unfold(text, &mut unfolded)?;
        let split = |text: String| text.split('/').map(|name| name.chars().collect()).collect();
        Ok(Self { alternatives: unfolded.into_iter().map(split).collect() })
    }

    /// Whether the whole path fits.
    pub(crate) fn fits(&self, path: &str) -> bool {
        let names: Vec<Vec<char>> = path.split('/').map(|name| name.chars().collect()).collect();
        self.alternatives.iter().any(|pattern| fits_names(pattern, &names))
    }
}

/// Writes out the alternatives of the first `{…}`, and of what comes of them.
fn unfold(text: &str, unfolded: &mut Vec<String>) -> Result<(), Failure> {
    if unfolded.len() >= ALTERNATIVES_MAX {
        return Err(Failure::new(format!("a pattern may have at most {ALTERNATIVES_MAX} alternatives in all")));
    }
    let Some((open, close, commas)) = first_braces(text) else {
        unfolded.push(text.to_owned());
        return Ok(());
    };
    let mut start = open + 1;
    for end in commas.into_iter().chain([close]) {
        unfold(&format!("{}{}{}", &text[..open], &text[start..end], &text[close + 1..]), unfolded)?;
        start = end + 1;
    }
    Ok(())
}

/// Places of the first balanced braces with a comma at their own level.
fn first_braces(text: &str) -> Option<(usize, usize, Vec<usize>)> {
    for (open, _) in text.match_indices('{') {
        let (mut depth, mut commas) = (0_usize, Vec::new());
        for (at, byte) in text.bytes().enumerate().skip(open) {
            match byte {
                b'{' => depth += 1,
                b',' if depth == 1 => commas.push(at),
                b'}' if depth == 1 && commas.is_empty() => break,
                b'}' if depth == 1 => return Some((open, at, commas)),
                b'}' => depth -= 1,
                _ => {}
            }
        }
    }
    None
}

/// `**` stands for any number of names, also none. Only the last `**` ever has to be tried again, as with `*` below.
fn fits_names(pattern: &[Vec<char>], names: &[Vec<char>]) -> bool {
    let fits = |at: usize, name: usize| fits_name(&pattern[at], &names[name]);
    wildcard(pattern.len(), names.len(), |at| pattern[at] == ['*', '*'], fits)
}

fn fits_name(pattern: &[char], name: &[char]) -> bool {
    let tokens = tokens_of(pattern);
    let fits = |at: usize, place: usize| match tokens[at] {
        Token::Star => false,
        Token::Any => true,
        Token::One(expected) => expected == name[place],
        Token::Class { negated, members } => in_class(members, name[place]) != negated,
    };
    wildcard(tokens.len(), name.len(), |at| matches!(tokens[at], Token::Star), fits)
}

/// Matches a sequence against a pattern in which some places stand for any run. Takes at most the product of both
/// lengths in steps: on a mismatch only the latest run grows by one.
fn wildcard(
    pattern: usize,
    subject: usize,
    is_run: impl Fn(usize) -> bool,
    fits: impl Fn(usize, usize) -> bool,
) -> bool {
    let (mut at, mut place, mut latest_run) = (0, 0, None);
    while place < subject {
        if at < pattern && is_run(at) {
            latest_run = Some((at, place));
            at += 1;
        } else if at < pattern && fits(at, place) {
            at += 1;
            place += 1;
        } else if let Some((run, from)) = latest_run {
            latest_run = Some((run, from + 1));
            at = run + 1;
            place = from + 1;
        } else {
            return false;
        }
    }
    (at..pattern).all(is_run)
}

enum Token<'a> {
    Star,
    Any,
    One(char),
    Class { negated: bool, members: &'a [char] },
}

fn tokens_of(pattern: &[char]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let [first, tail @ ..] = rest {
        rest = tail;
        tokens.push(match first {
            '*' => Token::Star,
            '?' => Token::Any,
            '[' => {
                let negated = matches!(tail.first(), Some('!' | '^'));
                let members = &tail[usize::from(negated)..];
                // A bracket right at the start is a member; one that is never closed is a plain bracket.
                match members.iter().skip(1).position(|member| *member == ']') {
                    Some(length) => {
                        rest = &members[length + 2..];
                        Token::Class { negated, members: &members[..=length] }
                    }
                    None => Token::One('['),
                }
            }
            '\\' if !tail.is_empty() => {
                rest = &tail[1..];
                Token::One(tail[0])
            }
            plain => Token::One(*plain),
        });
    }
    tokens
}

fn in_class(members: &[char], subject: char) -> bool {
    match members {
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&subject) || in_class(rest, subject),
        [member, rest @ ..] => *member == subject || in_class(rest, subject),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns_match_as_shells_and_minimatch_do() {
        let cases = [
            ("*.rs", "main.rs", true),
            ("*.rs", "src/main.rs", false),
            ("**/*.rs", "main.rs", true),
            ("**/*.rs", "a/b/main.rs", true),
            ("**", "a/b", true),
            ("src/**", "src/a/b", true),
            ("src/**", "lib/a", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/b/c", false),
            ("?at", "cat", true),
            ("?at", "at", false),
            ("[a-c]x[!0-9]", "bxy", true),
            ("[a-c]x[!0-9]", "bx5", false),
            ("[]]", "]", true),
            ("[x", "[x", true),
            ("*.{ts,tsx}", "a.tsx", true),
            ("*.{ts,{js,mjs}}", "a.mjs", true),
            ("{a}", "{a}", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("*a*b*c", "xxaxxbxxc", true),
            (".*", ".git", true),
            ("*", ".git", true),
            ("grün*", "grünlich", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(Pattern::new(pattern).unwrap().fits(path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn a_hostile_pattern_costs_little_and_a_huge_one_is_refused() {
        let hostile = "*a".repeat(500) + "b";
        assert!(!Pattern::new(&hostile).unwrap().fits(&"a".repeat(4_000)));
        assert!(Pattern::new(&"{a,b}".repeat(10)).is_err());
        assert!(Pattern::new(&"x".repeat(2_000)).is_err());
        assert!(Pattern::new("").is_err());
    }
}
