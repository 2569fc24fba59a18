//! What tests skipped: they write `SKIPPED: component: reason` into the file that `OMNI_TEST_SKIPS` names.
//!
//! A file and not the output, because nextest keeps the output of a test that passes. A test that skips appends one
//! line and returns; without the variable it prints the same line to its standard error.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// The variable that names the file.
pub(crate) const VARIABLE: &str = "OMNI_TEST_SKIPS";

/// Components that cannot be had in CI, so that their skip is no failure there.
const NOT_TO_BE_HAD: &[&str] = &["advisories", "root"];

/// A line that a test wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Skip {
    pub(crate) component: String,
    pub(crate) reason: String,
}

/// An empty file for the next run's skips.
pub(crate) fn fresh_file() -> Result<PathBuf> {
    let file = std::env::current_dir().context("no current folder")?.join("target/test-skips.txt");
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    std::fs::write(&file, "").with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// What the tests wrote, one entry a line.
pub(crate) fn read(file: &Path) -> Result<Vec<Skip>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Skip>> {
    let mut skips = Vec::new();
    for line in text.lines() {
        let said = line.strip_prefix("SKIPPED: ").and_then(|rest| rest.split_once(": "));
        match said {
            Some((component, reason)) if !component.is_empty() && !reason.is_empty() => {
                skips.push(Skip { component: component.to_owned(), reason: reason.to_owned() });
            }
            _ => bail!("a test wrote `{line}` into the file of ${VARIABLE}; it is `SKIPPED: component: reason`"),
        }
    }
    skips.sort();
    Ok(skips)
}

/// Whether this skip must not happen here.
pub(crate) fn is_failure(skip: &Skip) -> bool {
    in_ci() && to_be_had(skip)
}

/// Whether this is a run of CI.
fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

fn to_be_had(skip: &Skip) -> bool {
    !NOT_TO_BE_HAD.contains(&skip.component.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn lines_are_read_and_others_refused() {
        let skips = parse("SKIPPED: node: node 22 is missing: see CONTRIBUTING\nSKIPPED: apt: none\n").unwrap();
        assert_eq!(
            skips[1],
            Skip { component: "node".to_owned(), reason: "node 22 is missing: see CONTRIBUTING".to_owned() }
        );
        assert_eq!(skips[0].component, "apt");
        for bad in ["node: missing", "SKIPPED: node", "SKIPPED: : x", ""] {
            parse(&format!("{bad}\n")).expect_err(bad);
        }
    }

    #[test]
    fn only_what_cannot_be_had_may_be_skipped_in_ci() {
        let skip = |component: &str| Skip { component: component.to_owned(), reason: "x".to_owned() };
        assert!(to_be_had(&skip("node")) && !to_be_had(&skip("advisories")));
    }
}
