//! What the runs came to: scores, a summary for the terminal, and what was not expected.

use super::column::{Column, Leg};
use super::misses::Misses;
use super::suite::{Outcome, Outcomes, Requirement};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The scenarios of one revision on one leg, and how they ended each way.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) leg: Leg,
    pub(super) revision: String,
    pub(super) requirements: Vec<Requirement>,
    outcomes: BTreeMap<Column, Outcomes>,
}

/// All runs.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) suite_version: String,
    pub(super) sections: Vec<Section>,
}

impl Report {
    pub(super) fn new(suite_version: String, sections: Vec<Section>) -> Self {
        Self { suite_version, sections }
    }

    /// Adds what came of a run.
    pub(super) fn add(&mut self, column: Column, revision: &str, outcomes: Outcomes) {
        let section = |section: &&mut Section| section.leg == column.leg() && section.revision == revision;
        if let Some(section) = self.sections.iter_mut().find(section) {
            section.outcomes.entry(column).or_default().extend(outcomes);
        }
    }

    /// One line a run, and one a scenario that did not pass.
    pub(super) fn summary(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            for column in section.columns() {
                let (passed, scored) = section.score(column);
                let _ = writeln!(text, "{:<9} {}: {passed} of {scored} scored pass", column.name(), section.revision);
                for requirement in &section.requirements {
                    let outcome = section.outcome(column, requirement);
                    if outcome != Outcome::Passed {
                        let counts = requirement.not_scored.as_deref().unwrap_or("scored");
                        let _ = writeln!(text, "          {outcome:?} {} ({counts})", requirement.scenario);
                    }
                }
            }
        }
        text
    }

    /// The scenarios that failed and are not known to.
    pub(super) fn unexpected(&self, misses: &Misses) -> Vec<String> {
        let mut unexpected = Vec::new();
        for section in &self.sections {
            for column in section.columns() {
                for requirement in &section.requirements {
                    let scenario = &requirement.scenario;
                    let failed = section.outcome(column, requirement) == Outcome::Failed;
                    if failed && misses.reason(column, &section.revision, scenario).is_none() {
                        unexpected.push(format!("{column} {} {scenario}", section.revision));
                    }
                }
            }
        }
        unexpected
    }

    /// The scenarios that are listed as missed and are not, or not any more.
    pub(super) fn outdated(&self, misses: &Misses) -> Vec<String> {
        let listed = misses.entries().into_iter().filter(|(column, revision, scenario)| {
            let mut sections = self.sections.iter();
            let section = sections.find(|section| section.leg == column.leg() && section.revision == *revision);
            let Some(section) = section.filter(|section| section.outcomes.contains_key(column)) else {
                return false;
            };
            let found = section.requirements.iter().find(|requirement| requirement.scenario == *scenario);
            found.is_none_or(|requirement| section.outcome(*column, requirement).is_pass())
        });
        listed.map(|(column, revision, scenario)| format!("{column} {revision} {scenario}")).collect()
    }
}

impl Section {
    pub(super) fn new(leg: Leg, revision: &str, requirements: Vec<Requirement>) -> Self {
        Self { leg, revision: revision.to_owned(), requirements, outcomes: BTreeMap::new() }
    }

    /// The columns that were run.
    pub(super) fn columns(&self) -> impl Iterator<Item = Column> {
        self.leg.columns().iter().copied().filter(|column| self.outcomes.contains_key(column))
    }

    /// How a scenario ended; one that left no result failed.
    pub(super) fn outcome(&self, column: Column, requirement: &Requirement) -> Outcome {
        let outcomes = self.outcomes.get(&column);
        outcomes.and_then(|outcomes| outcomes.get(&requirement.scenario)).copied().unwrap_or(Outcome::Failed)
    }

    /// How many of the scored scenarios pass, and how many there are.
    pub(super) fn score(&self, column: Column) -> (usize, usize) {
        let scored = || self.requirements.iter().filter(|requirement| requirement.not_scored.is_none());
        let passed = scored().filter(|requirement| self.outcome(column, requirement).is_pass()).count();
        (passed, scored().count())
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    /// A report of three scenarios, where `sampling` fails through the hub.
    pub(in crate::conformance) fn report() -> Report {
        let required = |scenario: &str, not_scored: Option<&str>| Requirement {
            scenario: scenario.to_owned(),
            not_scored: not_scored.map(str::to_owned),
        };
        let requirements =
            vec![required("ping", None), required("sampling", None), required("tasks", Some("extension"))];
        let outcomes = |sampling: Outcome| {
            BTreeMap::from([
                ("ping".to_owned(), Outcome::Passed),
                ("sampling".to_owned(), sampling),
                ("tasks".to_owned(), Outcome::Skipped),
            ])
        };
        let section = Section::new(Leg::Server, "2025-11-25", requirements);
        let mut report = Report::new("1.2.3".to_owned(), vec![section]);
        report.add(Column::Direct, "2025-11-25", outcomes(Outcome::Passed));
        report.add(Column::Hub, "2025-11-25", outcomes(Outcome::Failed));
        report
    }

    #[test]
    fn an_unknown_miss_is_a_surprise_and_a_known_one_is_not() {
        assert_eq!(report().unexpected(&Misses::from_json(json!({}))), ["hub 2025-11-25 sampling"]);
        let misses = Misses::from_json(json!({ "hub": { "2025-11-25": { "Later.": ["sampling"] } } }));
        assert!(report().unexpected(&misses).is_empty());
        assert!(report().outdated(&misses).is_empty());
    }

    #[test]
    fn a_listed_miss_that_passes_or_is_nowhere_is_outdated() {
        let misses = Misses::from_json(json!({
            "hub": { "2025-11-25": { "Later.": ["sampling", "ping", "no-such"] } },
            "cross": { "2025-11-25": { "Not run here.": ["ping"] } },
        }));
        assert_eq!(report().outdated(&misses), ["hub 2025-11-25 ping", "hub 2025-11-25 no-such"]);
    }

    #[test]
    fn a_scenario_without_a_result_failed() {
        let requirement = Requirement { scenario: "ping".to_owned(), not_scored: None };
        let mut report = Report::new("1".to_owned(), vec![Section::new(Leg::Server, "r", vec![requirement])]);
        report.add(Column::Direct, "r", BTreeMap::new());
        assert_eq!(report.unexpected(&Misses::from_json(json!({}))), ["direct r ping"]);
    }
}
