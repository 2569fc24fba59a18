//! The first line of a Rust file says in one sentence what it is for.

use crate::{Finding, House};

/// Fewer words than this are no sentence.
const WORDS_MIN: usize = 3;

/// Files whose first line is no `//!` sentence.
#[must_use]
pub fn check(house: &House) -> Vec<Finding> {
    let speaks = |text: &str| {
        let first = text.lines().next().unwrap_or_default();
        first.strip_prefix("//! ").is_some_and(|said| said.split_whitespace().count() >= WORDS_MIN)
    };
    let silent = house.tree.rust().filter(|source| !speaks(&source.text));
    silent
        .map(|source| Finding::new(&source.path, 1, "begin with `//!` and what the file is for, in one sentence"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_an_empty_word_and_a_late_one_are_found() {
        for bad in
            ["fn f() {}\n", "//! .\n", "\n//! What it is for.\n", "// What it is for.\n", "/// What it is for.\n", ""]
        {
            assert_eq!(check(&House::sample(&[("crates/a/src/x.rs", bad)])).len(), 1, "{bad:?}");
        }
        assert_eq!(check(&House::sample(&[("crates/a/src/x.rs", "//! What it is for.\n"), ("x.sh", "")])), []);
    }
}
