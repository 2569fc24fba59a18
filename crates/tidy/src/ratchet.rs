//! How long a file and a function may be, and the committed list of what is longer: it may only shrink.

use crate::walk::walk;
use crate::{Finding, Tree};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Where the list lies, from the root of the repository.
pub const RATCHET_FILE: &str = "crates/tidy/ratchet.toml";

/// A file that passes this wants to be two.
const FILE_LINES_MAX: usize = 500;
/// A function that passes this wants a name for its middle.
const FUNCTION_LINES_MAX: usize = 70;

const HEAD: &str = "\
# What is longer than a file (500 lines) or a function (70) should be. A ratchet, not a wall: nothing here may grow, and
# what shrinks is written down shorter: `cargo xtask ratchet`. With `--accept` it also takes what has grown; say why in
# the commit that does so.
";

/// What is over its limit: the name, and its lines.
type Lengths = BTreeMap<String, usize>;

/// The files and functions that are over the limits now.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Measured {
    files: Lengths,
    functions: Lengths,
}

/// The files and functions that are known to be over the limits, from the committed list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ratchet {
    files: Lengths,
    functions: Lengths,
}

impl Measured {
    /// Measures every Rust file.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let mut measured = Self::default();
        for source in tree.rust() {
            let lines = source.text.lines().count();
            if lines > FILE_LINES_MAX {
                measured.files.insert(source.path.clone(), lines);
            }
        }
        for file in walk(tree).0 {
            for function in file.functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
                let longest = measured.functions.entry(format!("{} {}", file.path, function.name)).or_default();
                *longest = function.lines.max(*longest);
            }
        }
        measured
    }
}

impl Ratchet {
    /// Reads the committed list.
    ///
    /// # Errors
    /// When a line is none that [`Ratchet::render`] writes.
    pub fn parse(text: &str) -> Result<Self> {
        let mut ratchet = Self::default();
        let mut in_functions = None;
        for (index, line) in text.lines().map(str::trim).enumerate() {
            let place = || format!("{RATCHET_FILE}:{}: `{line}`", index + 1);
            match line {
                "[files]" => in_functions = Some(false),
                "[functions]" => in_functions = Some(true),
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => {
                    let (name, lines) =
                        line.split_once(" = ").with_context(|| format!("{} is no `\"name\" = lines`", place()))?;
                    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
                    let name = name.with_context(|| format!("{}: the name is not in quotes", place()))?;
                    let lines = lines.parse().with_context(|| format!("{}: the lines are no number", place()))?;
                    let Some(functions) = in_functions else { bail!("{} stands before [files]", place()) };
                    let list = if functions { &mut ratchet.functions } else { &mut ratchet.files };
                    if list.insert(name.to_owned(), lines).is_some() {
                        bail!("{} stands there twice", place());
                    }
                }
            }
        }
        Ok(ratchet)
    }

    /// The list as it is committed.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = HEAD.to_owned();
        for (title, lengths) in [("files", &self.files), ("functions", &self.functions)] {
            let _ = writeln!(text, "\n[{title}]");
            for (name, lines) in lengths {
                let _ = writeln!(text, "\"{name}\" = {lines}");
            }
        }
        text
    }

    /// What has grown, what is new, and what has shrunk without being written down.
    #[must_use]
    pub fn check(&self, measured: &Measured) -> Vec<Finding> {
        let mut findings = self.grown(measured);
        let lowered = self.lowered(measured);
        let pairs = [(&self.files, &lowered.files), (&self.functions, &lowered.functions)];
        for (name, lines) in pairs
            .iter()
            .flat_map(|(known, lower)| known.iter().filter(|(name, _)| known.get(*name) != lower.get(*name)))
        {
            let message = format!("`{name}` no longer has {lines} lines: write it down with `cargo xtask ratchet`");
            findings.push(Finding::new(RATCHET_FILE, 0, message));
        }
        findings
    }

    /// What is longer than the list allows.
    #[must_use]
    pub fn grown(&self, measured: &Measured) -> Vec<Finding> {
        let kinds = [
            (&measured.files, &self.files, FILE_LINES_MAX, "make it two files"),
            (&measured.functions, &self.functions, FUNCTION_LINES_MAX, "give its middle a name"),
        ];
        let mut findings = Vec::new();
        for (now, known, usual, advice) in kinds {
            for (name, lines) in now {
                let may = known.get(name).copied().unwrap_or(usual);
                if *lines > may {
                    let (path, what) = name.split_once(' ').unwrap_or((name, "the file"));
                    findings.push(Finding::new(
                        path,
                        0,
                        format!("{what} has {lines} lines and may have {may}: {advice}"),
                    ));
                }
            }
        }
        findings
    }

    /// The list, with what has shrunk made shorter and what is gone taken out; never longer.
    #[must_use]
    pub fn lowered(&self, measured: &Measured) -> Self {
        let lower = |known: &Lengths, now: &Lengths| {
            known.iter().filter_map(|(name, may)| now.get(name).map(|lines| (name.clone(), *lines.min(may)))).collect()
        };
        Self { files: lower(&self.files, &measured.files), functions: lower(&self.functions, &measured.functions) }
    }

    /// A list that takes everything as it is now.
    #[must_use]
    pub fn accepting(measured: &Measured) -> Self {
        Self { files: measured.files.clone(), functions: measured.functions.clone() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    let _ = 1;\n".repeat(lines - 2))
    }

    fn measured(file_lines: usize, function_lines: usize) -> Measured {
        let file = "//! x\n".repeat(file_lines);
        Measured::of(&Tree::sample(&[("crates/a/src/f.rs", &file), ("crates/a/src/g.rs", &function(function_lines))]))
    }

    fn known(file: usize, function: usize) -> Ratchet {
        Ratchet::accepting(&measured(file, function))
    }

    #[test]
    fn what_is_within_the_limits_is_not_listed() {
        assert_eq!(measured(500, 70), Measured::default());
        assert_eq!(Ratchet::default().check(&measured(500, 70)), []);
    }

    #[test]
    fn what_is_new_and_over_is_found() {
        let found = Ratchet::default().check(&measured(501, 71));
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        let expected = [
            "crates/a/src/f.rs: the file has 501 lines and may have 500: make it two files",
            "crates/a/src/g.rs: long has 71 lines and may have 70: give its middle a name",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_listed_may_stay_but_not_grow() {
        assert_eq!(known(600, 80).check(&measured(600, 80)), []);
        assert_eq!(known(600, 80).check(&measured(601, 81)).len(), 2);
        assert_eq!(known(600, 80).lowered(&measured(601, 81)), known(600, 80), "lowering never raises");
    }

    #[test]
    fn what_has_shrunk_or_gone_must_be_written_down() {
        let found = known(600, 80).check(&measured(599, 70));
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|finding| finding.path == RATCHET_FILE));
        assert_eq!(known(600, 80).lowered(&measured(599, 70)), known(599, 70));
    }

    #[test]
    fn the_list_reads_back_as_written_and_refuses_other_lines() {
        let list = known(600, 80);
        assert_eq!(Ratchet::parse(&list.render()).unwrap(), list);
        for bad in
            ["\"a\" = 1", "[files]\na = 1", "[files]\n\"a\" = x", "[files]\n\"a\"", "[files]\n\"a\" = 1\n\"a\" = 2"]
        {
            Ratchet::parse(bad).expect_err(bad);
        }
    }
}
