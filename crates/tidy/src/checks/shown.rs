//! Tests that the threat model names are there: a threat whose test was renamed or taken away is shown by nothing.

use crate::{Finding, House};
use std::collections::BTreeSet;

/// The threat model.
const THREATS: &str = "docs/SECURITY.md";

/// Names in code that look like a test's and are none.
#[must_use]
pub fn check(house: &House) -> Vec<Finding> {
    let Some(text) = house.tree.sources.iter().find(|source| source.path == THREATS) else {
        return vec![Finding::new(
            THREATS,
            0,
            "is missing: it says what could be done to a hub, and what stands against it",
        )];
    };
    let known: BTreeSet<&str> = house
        .walked
        .iter()
        .flat_map(|file| &file.functions)
        .filter(|one| one.is_test)
        .map(|one| one.name.as_str())
        .collect();
    let mut findings = Vec::new();
    for (index, line) in text.text.lines().enumerate() {
        // What stands between two backticks is every second piece.
        for name in line.split('`').skip(1).step_by(2).filter(|name| is_test(name)) {
            if !known.contains(name) && !is_in_a_macro(house, name) {
                findings.push(Finding::new(THREATS, index + 1, format!("there is no test `{name}`")));
            }
        }
    }
    findings
}

/// Whether it stands within a macro's words, as tests of properties do.
fn is_in_a_macro(house: &House, name: &str) -> bool {
    let head = format!("fn {name}(");
    house
        .tree
        .rust()
        .any(|source| source.text.match_indices(&head).any(|(at, _)| source.text[..at].trim_end().ends_with("#[test]")))
}

/// `auth_2_forged_tokens_are_refused`: a family, a number, words.
fn is_test(name: &str) -> bool {
    let mut parts = name.splitn(3, '_');
    let (family, number, words) = (parts.next(), parts.next(), parts.next());
    let all = |text: Option<&str>, right: fn(u8) -> bool| {
        text.is_some_and(|text| !text.is_empty() && text.bytes().all(right))
    };
    all(family, |byte| byte.is_ascii_lowercase())
        && all(number, |byte| byte.is_ascii_digit())
        && all(words, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tests_are_names_of_tests() {
        let text =
            "| a threat | what stands against it: `auth_mode` | `auth_1_is_there`, `auth_2_is_not` |\n`val_1_plain`\n";
        let code = "#[test]\nfn auth_1_is_there() {}\n#[tokio::test]\nasync fn val_1_other() {}\nfn val_1_plain() {}\n";
        let found: Vec<String> = check(&House::sample(&[(THREATS, text), ("crates/a/src/x.rs", code)]))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                format!("{THREATS}:1: there is no test `auth_2_is_not`"),
                format!("{THREATS}:2: there is no test `val_1_plain`")
            ]
        );
        assert_eq!(check(&House::sample(&[])).len(), 1);
    }
}
