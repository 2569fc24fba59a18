//! The generated document: the same text for the same outcomes, whenever and wherever it is made.

use super::column::{Column, Leg};
use super::misses::Misses;
use super::report::{Report, Section};
use super::suite::{Outcome, Requirement};
use std::fmt::Write as _;

/// What is told of a scenario that the suite itself leaves without a check, where the list of misses says nothing.
const SKIPPED: &str = "The suite makes no check here yet.";

const INTRODUCTION: &str = "\
It runs them and writes this file; `--check`, a part of `cargo xtask test`, fails when the run would write another one.

The suite's server scenarios go four ways: to the everything-server of `crates/fixtures` **directly**; to the same server
through the hub at **`/mcp/{server}`**, with the same era on both sides; to **`/mcp`**, where the hub has a second server
as well and names carry their server's prefix, so that a scenario which calls a fixed name finds none; and **across
eras**, through the hub at `/mcp/{server}` in front of a fixture that speaks the other era alone. For its client
scenarios the suite is the server, the hub its client, and a client of ours drives the hub: one of the revision's own
era, and one of the other. Scenarios of a login (`auth/*`) are left out: the hub logs in nowhere yet.
";

/// The text for these runs.
pub(super) fn write(report: &Report, misses: &Misses) -> String {
    let mut text = format!(
        "<!-- Written by `cargo xtask conformance`; reasons come from tests/conformance-misses.json. -->\n\
         # Conformance\n\n\
         The scenarios of `@modelcontextprotocol/conformance` {}, as `cargo xtask conformance` runs them.\n\
         {INTRODUCTION}",
        report.suite_version
    );
    for leg in [Leg::Server, Leg::Client] {
        write_scores(&mut text, report, leg);
    }
    text.push_str(
        "\nThese count the scenarios that the suite's frozen requirement sets score, and for the revisions before 2025-11-25\n\
         all that apply. The suite runs others too, which the tables mark with its own reason for not scoring them.\n",
    );
    for section in &report.sections {
        write_table(&mut text, section, misses);
    }
    text
}

fn write_scores(text: &mut String, report: &Report, leg: Leg) {
    let _ = write!(text, "\n| {} scenarios |", leg.name());
    for column in leg.columns() {
        let _ = write!(text, " {} |", column.title());
    }
    let _ = writeln!(text, "\n|---|{}", "--:|".repeat(leg.columns().len()));
    for section in report.sections.iter().filter(|section| section.leg == leg) {
        let _ = write!(text, "| {} |", section.revision);
        for column in leg.columns() {
            let run = section.columns().any(|it| it == *column);
            let (passed, scored) = section.score(*column);
            let _ = if run { write!(text, " {passed} of {scored} |") } else { write!(text, " |") };
        }
        text.push('\n');
    }
}

fn write_table(text: &mut String, section: &Section, misses: &Misses) {
    let columns: Vec<Column> = section.columns().collect();
    let _ = write!(text, "\n## {}, {} scenarios\n\n| scenario |", section.revision, section.leg.name());
    for column in &columns {
        let _ = write!(text, " {} |", column.title());
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(columns.len()));
    let mut sentences = Vec::new();
    for requirement in &section.requirements {
        let counts = requirement.not_scored.as_ref().map(|reason| format!(" ({reason}, not scored)"));
        let _ = write!(text, "| {}{} |", requirement.scenario, counts.unwrap_or_default());
        for column in &columns {
            let (word, sentence) = cell(section, *column, requirement, misses);
            let _ = match sentence.map(|sentence| number(&mut sentences, sentence)) {
                Some(number) => write!(text, " {word} ({number}) |"),
                None => write!(text, " {word} |"),
            };
        }
        text.push('\n');
    }
    if !sentences.is_empty() {
        text.push('\n');
    }
    for (at, sentence) in sentences.iter().enumerate() {
        let _ = writeln!(text, "{}. {sentence}", at + 1);
    }
}

/// The number of `sentence` among those told under a table.
fn number<'a>(sentences: &mut Vec<&'a str>, sentence: &'a str) -> usize {
    let at = sentences.iter().position(|it| *it == sentence).unwrap_or_else(|| {
        sentences.push(sentence);
        sentences.len() - 1
    });
    at + 1
}

fn cell<'a>(
    section: &Section,
    column: Column,
    requirement: &Requirement,
    misses: &'a Misses,
) -> (&'static str, Option<&'a str>) {
    let reason = misses.reason(column, &section.revision, &requirement.scenario);
    match (section.outcome(column, requirement), reason) {
        (Outcome::Passed, _) => ("pass", None),
        (Outcome::Warned, reason) => ("pass, warned", reason),
        (Outcome::Skipped, reason) => ("skipped", Some(reason.unwrap_or(SKIPPED))),
        (Outcome::Failed, Some(reason)) => ("miss", Some(reason)),
        (Outcome::Failed, None) => ("**FAIL**", Some("Not expected.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::report::tests::report;
    use serde_json::json;

    #[test]
    fn a_known_miss_is_told_with_its_sentence() {
        let misses = Misses::from_json(json!({ "hub": { "2025-11-25": { "It comes next.": ["sampling"] } } }));
        let document = write(&report(), &misses);
        assert!(document.contains("| 2025-11-25 | 2 of 2 | 1 of 2 | | |"), "{document}");
        assert!(document.contains("| sampling | pass | miss (1) |"), "{document}");
        assert!(document.contains("| tasks (extension, not scored) | skipped (2) | skipped (2) |"), "{document}");
        assert!(document.contains("\n1. It comes next.\n2. The suite makes"), "{document}");
    }

    #[test]
    fn an_unknown_miss_cannot_be_overlooked() {
        assert!(write(&report(), &Misses::from_json(json!({}))).contains("**FAIL**"));
    }
}
