//! Requirement ids (`GW-3`, or `gw_3` in a test's name) are ids of the committed list, so that a typo hides no gap.

use crate::{Finding, House};
use std::collections::BTreeSet;

/// The committed list, one id a line.
pub const IDS_FILE: &str = "docs/requirements-ids.txt";

/// Ids in Rust files whose family is in the list and which are not.
#[must_use]
pub fn check(house: &House) -> Vec<Finding> {
    let Some(list) = house.tree.sources.iter().find(|source| source.path == IDS_FILE) else {
        return vec![Finding::new(IDS_FILE, 0, "is missing: it lists the ids that tests may name, one a line")];
    };
    let ids: BTreeSet<&str> = list.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let families: BTreeSet<&str> = ids.iter().filter_map(|id| id.split_once('-')).map(|(family, _)| family).collect();
    let mut findings = Vec::new();
    let mut judge = |path: &str, line: usize, id: String| {
        if id.split_once('-').is_some_and(|(family, _)| families.contains(family)) && !ids.contains(id.as_str()) {
            findings.push(Finding::new(path, line, format!("{id} is no requirement ({IDS_FILE})")));
        }
    };
    for source in house.tree.rust() {
        for (index, line) in source.text.lines().enumerate() {
            for word in line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')) {
                if is_id(word) {
                    judge(&source.path, index + 1, word.to_owned());
                }
            }
        }
    }
    for file in &house.walked {
        for test in file.functions.iter().filter(|function| function.is_test) {
            for id in ids_of_name(&test.name) {
                judge(&file.path, test.line, id);
            }
        }
    }
    findings
}

/// `GW-3`: capitals, a dash, digits.
fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(family, number)| {
        !family.is_empty()
            && !number.is_empty()
            && family.bytes().all(|byte| byte.is_ascii_uppercase())
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The ids in a test's name: `gw_3_proxies_any_server` names GW-3.
fn ids_of_name(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split('_').collect();
    let id = |pair: &[&str]| format!("{}-{}", pair[0].to_ascii_uppercase(), pair[1]);
    words.windows(2).map(id).filter(|id| is_id(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let files = [(IDS_FILE, "GW-1\nGW-2\nTOOL-7\n"), ("crates/a/src/x.rs", text)];
        check(&House::sample(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ids_of_the_list_and_words_of_other_families_pass() {
        assert_eq!(found("//! GW-1, TOOL-7: SHA-256, RFC-9728, GW-x.\n#[test]\nfn gw_2_and_sha_256() {}\n"), [""; 0]);
    }

    #[test]
    fn unknown_ids_are_found_in_comments_and_in_names_of_tests() {
        // Put together here, since this file is held against the real list too.
        let unknown = format!("GW-{}", 9);
        let text = format!("// ({unknown})\n#[tokio::test]\nasync fn tool_8_is_done() {{}}\nfn gw_5() {{}}\n");
        let found = found(&text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with(&format!("crates/a/src/x.rs:1: {unknown} ")));
        assert!(found[1].starts_with("crates/a/src/x.rs:3: TOOL-8 "));
    }

    #[test]
    fn without_the_list_nothing_passes() {
        assert_eq!(check(&House::sample(&[("crates/a/src/x.rs", "")])).len(), 1);
    }
}
