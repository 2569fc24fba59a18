//! How long a file and a function may be, and the committed list of what is longer or stands in a circle: it may only shrink.

use crate::modules::tangled;
use crate::{Finding, House};
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
# What is longer than a file (500 lines) or a function (70) should be, and how many files of a crate import one another in
# circles. A ratchet, not a wall: nothing here may grow, and what shrinks is written down smaller: `cargo xtask ratchet`.
# With `--accept` it also takes what has become longer, with `--accept-circles` new circles; say why in that commit.
";

/// What is over its limit: the name, and its lines; for circles the package's folder, and its files in circles.
type Lengths = BTreeMap<String, usize>;

/// The files, functions and packages that are over the limits now.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Measured {
    files: Lengths,
    functions: Lengths,
    circles: Lengths,
}

/// The files, functions and packages that are known to be over the limits, from the committed list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ratchet {
    files: Lengths,
    functions: Lengths,
    circles: Lengths,
}

impl Measured {
    /// Measures every Rust file.
    #[must_use]
    pub fn of(house: &House) -> Self {
        let mut measured = Self::default();
        for source in house.tree.rust() {
            let lines = source.text.lines().count();
            if lines > FILE_LINES_MAX {
                measured.files.insert(source.path.clone(), lines);
            }
        }
        measured.circles = tangled(&house.tree, &house.walked);
        for file in &house.walked {
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
        let mut list: Option<&mut Lengths> = None;
        for (index, line) in text.lines().map(str::trim).enumerate() {
            let place = || format!("{RATCHET_FILE}:{}: `{line}`", index + 1);
            match line {
                "[files]" => list = Some(&mut ratchet.files),
                "[functions]" => list = Some(&mut ratchet.functions),
                "[circles]" => list = Some(&mut ratchet.circles),
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => {
                    let (name, lines) =
                        line.split_once(" = ").with_context(|| format!("{} is no `\"name\" = number`", place()))?;
                    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
                    let name = name.with_context(|| format!("{}: the name is not in quotes", place()))?;
                    let lines = lines.parse().with_context(|| format!("{}: that is no number", place()))?;
                    let Some(list) = &mut list else { bail!("{} stands before [files]", place()) };
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
        for (title, lengths) in [("files", &self.files), ("functions", &self.functions), ("circles", &self.circles)] {
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
        let pairs =
            [(&self.files, &lowered.files), (&self.functions, &lowered.functions), (&self.circles, &lowered.circles)];
        for (name, lines) in pairs
            .iter()
            .flat_map(|(known, lower)| known.iter().filter(|(name, _)| known.get(*name) != lower.get(*name)))
        {
            let message = format!("`{name}` is no longer at {lines}: write it down with `cargo xtask ratchet`");
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
            (&measured.circles, &self.circles, 0, "the check of circles tells which"),
        ];
        let mut findings = Vec::new();
        for (now, known, usual, advice) in kinds {
            for (name, lines) in now {
                let may = known.get(name).copied().unwrap_or(usual);
                if *lines <= may {
                    continue;
                }
                let (path, what) = name.split_once(' ').unwrap_or((name, "the file"));
                let message = if usual == 0 {
                    format!("{lines} files import one another in circles, and {may} may: {advice}")
                } else {
                    format!("{what} has {lines} lines and may have {may}: {advice}")
                };
                findings.push(Finding::new(path, 0, message));
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
        Self {
            files: lower(&self.files, &measured.files),
            functions: lower(&self.functions, &measured.functions),
            circles: lower(&self.circles, &measured.circles),
        }
    }

    /// The list that takes every length as it is now; circles it leaves as they were, or less.
    #[must_use]
    pub fn accepting_lengths(&self, measured: &Measured) -> Self {
        Self { files: measured.files.clone(), functions: measured.functions.clone(), ..self.lowered(measured) }
    }

    /// The list that takes every circle as it is now; lengths it leaves as they were, or less.
    #[must_use]
    pub fn accepting_circles(&self, measured: &Measured) -> Self {
        Self { circles: measured.circles.clone(), ..self.lowered(measured) }
    }

    /// How many files of the package in this folder may stand in circles.
    #[must_use]
    pub(crate) fn files_in_circles(&self, folder: &str) -> usize {
        self.circles.get(folder).copied().unwrap_or_default()
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
        Measured::of(&House::sample(&[("crates/a/src/f.rs", &file), ("crates/a/src/g.rs", &function(function_lines))]))
    }

    fn known(file: usize, function: usize) -> Ratchet {
        Ratchet::default().accepting_lengths(&measured(file, function))
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
    fn circles_are_taken_only_when_that_is_asked_for() {
        let knot = [("crates/a/src/x.rs", "use crate::y::Y;"), ("crates/a/src/y.rs", "use crate::x::X;")];
        let measured = Measured::of(&House::sample(&knot));
        let lengths = Ratchet::default().accepting_lengths(&measured);
        assert_eq!(lengths, Ratchet::default());
        assert_eq!(lengths.check(&measured).len(), 1);
        let circles = lengths.accepting_circles(&measured);
        assert_eq!((circles.check(&measured), circles.files_in_circles("crates/a")), (vec![], 2));
        assert_eq!(circles.check(&Measured::default()).len(), 1, "an undone circle is written down");
        assert_eq!(Ratchet::parse(&circles.render()).unwrap(), circles);
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
