//! What the runs came to: the generated document, a summary for the terminal, and what was not expected.

use super::column::Column;
use super::misses::Misses;
use super::suite::{Outcome, Requirement};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One requirement set and how its scenarios ended in each column.
#[derive(Debug)]
struct Revision {
    name: String,
    requirements: Vec<Requirement>,
    outcomes: BTreeMap<Column, BTreeMap<String, Outcome>>,
}

/// All runs.
#[derive(Debug)]
pub(super) struct Report {
    suite_version: String,
    revisions: Vec<Revision>,
}

impl Report {
    pub(super) fn new(suite_version: String) -> Self {
        Self { suite_version, revisions: Vec::new() }
    }

    /// Adds one run.
    pub(super) fn add(
        &mut self,
        column: Column,
        name: &str,
        requirements: Vec<Requirement>,
        outcomes: BTreeMap<String, Outcome>,
    ) {
        let at = self.revisions.iter().position(|revision| revision.name == name).unwrap_or_else(|| {
            self.revisions.push(Revision { name: name.to_owned(), requirements, outcomes: BTreeMap::new() });
            self.revisions.len() - 1
        });
        self.revisions[at].outcomes.insert(column, outcomes);
    }

    /// One line a run, and one a scenario that did not pass.
    pub(super) fn summary(&self) -> String {
        let mut text = String::new();
        for revision in &self.revisions {
            for column in revision.outcomes.keys() {
                let (passed, scored) = revision.score(*column);
                let _ = writeln!(
                    text,
                    "{:<7} {}: {passed} of {scored} scored scenarios pass",
                    column.name(),
                    revision.name
                );
                for requirement in &revision.requirements {
                    let outcome = revision.outcome(*column, requirement);
                    if outcome != Outcome::Passed {
                        let counts = requirement.not_scored.as_deref().unwrap_or("scored");
                        let _ = writeln!(text, "        {outcome:?} {} ({counts})", requirement.scenario);
                    }
                }
            }
        }
        text
    }

    /// The scenarios that failed and are not known to.
    pub(super) fn unexpected(&self, misses: &Misses) -> Vec<String> {
        let mut unexpected = Vec::new();
        for revision in &self.revisions {
            for column in revision.outcomes.keys() {
                for requirement in &revision.requirements {
                    let failed = revision.outcome(*column, requirement) == Outcome::Failed;
                    if failed && misses.reason(*column, &revision.name, &requirement.scenario).is_none() {
                        unexpected.push(format!("{} {} {}", column.name(), revision.name, requirement.scenario));
                    }
                }
            }
        }
        unexpected
    }

    /// The document: the same text for the same outcomes, whenever and wherever it is made.
    pub(super) fn document(&self, misses: &Misses) -> String {
        let mut text = format!(
            "<!-- Written by `cargo xtask conformance`; reasons come from tests/conformance-misses.json. -->\n\
             # Conformance\n\n\
             The server scenarios of `@modelcontextprotocol/conformance` {}, run against the everything-server of\n\
             `crates/fixtures` directly, and through the hub at `/mcp/{{server}}`, with the same era on both sides.\n\
             `cargo xtask conformance` runs them and writes this file; `--check` fails when it would differ.\n\n\
             | revision | fixture directly | through omni |\n|---|--:|--:|\n",
            self.suite_version
        );
        for revision in &self.revisions {
            let cells = [Column::Direct, Column::Hub].map(|column| {
                let (passed, scored) = revision.score(column);
                format!("{passed} of {scored}")
            });
            let _ = writeln!(text, "| {} | {} | {} |", revision.name, cells[0], cells[1]);
        }
        text.push_str(
            "\nThese count the scenarios that the suite's frozen requirement sets score. It runs others too, which the\n\
             tables mark with the suite's own reason for not scoring them.\n",
        );
        for revision in &self.revisions {
            revision.write_table(&mut text, misses);
        }
        text
    }
}

impl Revision {
    /// How a scenario ended; one that left no result failed.
    fn outcome(&self, column: Column, requirement: &Requirement) -> Outcome {
        let outcomes = self.outcomes.get(&column);
        outcomes.and_then(|outcomes| outcomes.get(&requirement.scenario)).copied().unwrap_or(Outcome::Failed)
    }

    fn score(&self, column: Column) -> (usize, usize) {
        let scored = || self.requirements.iter().filter(|requirement| requirement.not_scored.is_none());
        let passed = scored().filter(|requirement| self.outcome(column, requirement) == Outcome::Passed).count();
        (passed, scored().count())
    }

    fn write_table(&self, text: &mut String, misses: &Misses) {
        let _ = write!(
            text,
            "\n## {}\n\n| scenario | fixture directly | through omni | note |\n|---|---|---|---|\n",
            self.name
        );
        for requirement in &self.requirements {
            let scenario = &requirement.scenario;
            let counts = requirement.not_scored.as_ref().map(|reason| format!(" ({reason}, not scored)"));
            let (direct, _) = self.cell(Column::Direct, requirement, misses);
            let (hub, reason) = self.cell(Column::Hub, requirement, misses);
            let _ = writeln!(text, "| {scenario}{} | {direct} | {hub} | {reason} |", counts.unwrap_or_default());
        }
    }

    fn cell<'a>(&self, column: Column, requirement: &Requirement, misses: &'a Misses) -> (&'static str, &'a str) {
        let reason = misses.reason(column, &self.name, &requirement.scenario);
        match (self.outcome(column, requirement), reason) {
            (Outcome::Passed, _) => ("pass", ""),
            (Outcome::Skipped, reason) => ("skipped", reason.unwrap_or("the suite makes no check here yet")),
            (Outcome::Failed, Some(reason)) => ("not yet", reason),
            (Outcome::Failed, None) => ("**FAIL**", "not expected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Report {
        let required = |scenario: &str, not_scored: Option<&str>| Requirement {
            scenario: scenario.to_owned(),
            not_scored: not_scored.map(str::to_owned),
        };
        let requirements =
            || vec![required("ping", None), required("sampling", None), required("tasks", Some("extension"))];
        let outcomes = |sampling: Outcome| {
            BTreeMap::from([
                ("ping".to_owned(), Outcome::Passed),
                ("sampling".to_owned(), sampling),
                ("tasks".to_owned(), Outcome::Skipped),
            ])
        };
        let mut report = Report::new("1.2.3".to_owned());
        report.add(Column::Direct, "2025-11-25", requirements(), outcomes(Outcome::Passed));
        report.add(Column::Hub, "2025-11-25", requirements(), outcomes(Outcome::Failed));
        report
    }

    #[test]
    fn a_known_miss_is_told_with_its_reason_and_is_no_surprise() {
        let misses = Misses::from_json(json!({ "hub": { "2025-11-25": { "sampling": "the next issue's" } } }));
        let document = report().document(&misses);
        assert!(document.contains("| 2025-11-25 | 2 of 2 | 1 of 2 |"), "{document}");
        assert!(document.contains("| sampling | pass | not yet | the next issue's |"), "{document}");
        assert!(document.contains("| tasks (extension, not scored) | skipped | skipped |"), "{document}");
        assert!(report().unexpected(&misses).is_empty());
    }

    #[test]
    fn an_unknown_miss_is_a_surprise() {
        let misses = Misses::from_json(json!({}));
        assert_eq!(report().unexpected(&misses), ["hub 2025-11-25 sampling"]);
        assert!(report().document(&misses).contains("**FAIL**"));
    }

    #[test]
    fn a_scenario_without_a_result_failed() {
        let mut report = Report::new("1".to_owned());
        let requirement = Requirement { scenario: "ping".to_owned(), not_scored: None };
        report.add(Column::Direct, "r", vec![requirement], BTreeMap::new());
        assert_eq!(report.unexpected(&Misses::from_json(json!({}))), ["direct r ping"]);
    }
}
