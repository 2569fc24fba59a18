//! The suite itself: its requirement sets, a run against a URL, and what it left in its results.

use super::column::Leg;
use crate::peers::{Peers, bounded};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one run of server scenarios may take.
const RUN_LIMIT: Duration = Duration::from_secs(300);
/// How long the suite gives a client scenario, in milliseconds; the machine may be loaded.
const CLIENT_LIMIT_MS: &str = "60000";
/// How long the suite may take for one.
const CLIENT_RUN_LIMIT: Duration = Duration::from_secs(90);
/// What a results folder's name has before the scenario.
const FOLDER_PREFIX: &str = "server-";
/// The length of what a results folder's name has after the scenario: a dash and a time.
const FOLDER_SUFFIX_LEN: usize = "-2026-01-01T00-00-00-000Z".len();
/// The revisions that have a frozen requirement set.
const FROZEN: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No check failed or warned, and one at least was made.
    Passed,
    /// No check failed, and one warned.
    Warned,
    /// A check failed.
    Failed,
    /// No check was made.
    Skipped,
}

/// How the scenarios of one run ended, by name.
pub(super) type Outcomes = BTreeMap<String, Outcome>;

impl Outcome {
    /// Whether the suite counts it as passed.
    pub(super) fn is_pass(self) -> bool {
        matches!(self, Self::Passed | Self::Warned)
    }
}

/// A scenario of a requirement set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// The scenario's name.
    pub(super) scenario: String,
    /// Why it does not count, if it does not.
    pub(super) not_scored: Option<String>,
}

/// The installed suite.
#[derive(Debug)]
pub(super) struct Suite {
    node: PathBuf,
    package: PathBuf,
    results: PathBuf,
}

impl Suite {
    pub(super) fn new(peers: &Peers, results: PathBuf) -> Self {
        let package = peers.node_modules.join("@modelcontextprotocol/conformance");
        Self { node: peers.node.clone(), package, results }
    }

    /// The suite's version, as its package says.
    pub(super) fn version(&self) -> Result<String> {
        let path = self.package.join("package.json");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let package: Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
        package["version"].as_str().map(str::to_owned).context("the suite's package tells no version")
    }

    /// The scenarios of `leg` that `revision` asks for: those of its frozen set, or where it has none all that apply.
    pub(super) fn requirements(&self, leg: Leg, revision: &str) -> Result<Vec<Requirement>> {
        let requirements = if FROZEN.contains(&revision) {
            let path = self.package.join(format!("requirements/{revision}.yaml"));
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            read_requirements(&text, leg)
        } else {
            let log = self.results.join("list.log");
            let (node, program) = self.words();
            bounded::run_well(&[&node, &program, "list"], &self.results, &log, RUN_LIMIT)?;
            let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
            read_list(&text, leg, revision)
        };
        ensure!(!requirements.is_empty(), "the suite has no {} scenario of {revision}", leg.name());
        Ok(requirements)
    }

    /// Runs the server scenarios of `revision` against `url`; how each ended.
    pub(super) fn run_server(&self, url: &str, revision: &str, folder: &Path) -> Result<Outcomes> {
        let output = folder.join("scenarios");
        let log = folder.join("suite.log");
        let (node, program) = self.words();
        let output_text = output.to_string_lossy();
        let mut words = vec![&*node, &*program, "server", "--url", url, "-o", &*output_text];
        if FROZEN.contains(&revision) {
            words.extend(["--requirements", revision]);
        } else {
            words.extend(["--suite", "all", "--spec-version", revision]);
        }
        let status = bounded::run(&words, folder, &log, RUN_LIMIT)?;
        let outcomes = read_results(&output)?;
        // Its exit code is 1 when a scored scenario failed, and also when it could not run at all.
        if outcomes.is_empty() {
            bail!("the suite ended with {status} and left no results\n{}", bounded::last_lines(&log));
        }
        Ok(outcomes)
    }

    /// Runs one client scenario of `revision` with `command`, to which the suite adds its URL; how it ended.
    pub(super) fn run_client(&self, command: &str, scenario: &str, revision: &str, folder: &Path) -> Result<Outcome> {
        let log = folder.join("suite.log");
        let (node, program) = self.words();
        let output = folder.to_string_lossy();
        let words = [
            &*node,
            &*program,
            "client",
            "--command",
            command,
            "--scenario",
            scenario,
            "--spec-version",
            revision,
            "--timeout",
            CLIENT_LIMIT_MS,
            "-o",
            &*output,
        ];
        // Warnings, a client that failed and one that took too long count as failures, all of which the code tells.
        let status = bounded::run(&words, folder, &log, CLIENT_RUN_LIMIT)?;
        Ok(if status.success() { Outcome::Passed } else { Outcome::Failed })
    }

    fn words(&self) -> (String, String) {
        let program = self.package.join("dist/index.js");
        (self.node.to_string_lossy().into_owned(), program.to_string_lossy().into_owned())
    }
}

/// The scenarios of a requirements file on one leg: the scored ones, then those of its `not_scored:`. Scenarios of a
/// login are left out.
fn read_requirements(text: &str, leg: Leg) -> Vec<Requirement> {
    let of_leg = format!("    leg: {}", leg.name());
    let mut section = "";
    let mut requirements = Vec::new();
    let mut unscored: Option<(String, bool)> = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            section = name;
        } else if let Some(scenario) = line.strip_prefix("  - scenario: ") {
            unscored = Some((scenario.to_owned(), false));
        } else if let Some(scenario) = line.strip_prefix("  - ").filter(|_| section == leg.name()) {
            requirements.push(Requirement { scenario: scenario.to_owned(), not_scored: None });
        } else if let Some((_, is_of_leg)) = unscored.as_mut().filter(|_| line.starts_with("    leg: ")) {
            *is_of_leg = line == of_leg;
        } else if let Some(reason) = line.strip_prefix("    reason: ")
            && let Some((scenario, true)) = unscored.take()
        {
            requirements.push(Requirement { scenario, not_scored: Some(reason.to_owned()) });
        }
    }
    requirements.retain(|requirement| !requirement.scenario.starts_with("auth/"));
    requirements
}

/// The scenarios of one leg that apply to `revision`, from what the suite's `list` prints.
fn read_list(text: &str, leg: Leg, revision: &str) -> Vec<Requirement> {
    let mut on_leg = false;
    let mut requirements = Vec::new();
    for line in text.lines() {
        if let Some((first, _)) = line.split_once(" scenarios (") {
            on_leg = first.eq_ignore_ascii_case(leg.name());
        } else if let Some((scenario, revisions)) = line.strip_prefix("  - ").and_then(|line| line.split_once(" ["))
            && on_leg
            && revisions.trim_end_matches(']').split(',').any(|it| it == revision)
        {
            requirements.push(Requirement { scenario: scenario.to_owned(), not_scored: None });
        }
    }
    requirements
}

fn read_results(folder: &Path) -> Result<Outcomes> {
    let mut outcomes = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(scenario) = scenario_of(&name.to_string_lossy()).map(str::to_owned) else {
            continue;
        };
        let path = entry.path().join("checks.json");
        // A scenario that broke off leaves its folder without checks.
        let Ok(text) = fs::read_to_string(&path) else {
            outcomes.insert(scenario, Outcome::Failed);
            continue;
        };
        let checks: Vec<Value> =
            serde_json::from_str(&text).with_context(|| format!("{} is no list of checks", path.display()))?;
        outcomes.insert(scenario, outcome_of(&checks));
    }
    Ok(outcomes)
}

/// The scenario whose results are in the folder `name`.
fn scenario_of(name: &str) -> Option<&str> {
    let name = name.strip_prefix(FOLDER_PREFIX)?;
    name.get(..name.len().checked_sub(FOLDER_SUFFIX_LEN)?)
}

fn outcome_of(checks: &[Value]) -> Outcome {
    let any = |status: &str| checks.iter().any(|check| check["status"] == status);
    if any("FAILURE") {
        Outcome::Failed
    } else if any("WARNING") {
        Outcome::Warned
    } else if any("SUCCESS") {
        Outcome::Passed
    } else {
        Outcome::Skipped
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn requirements_are_the_legs_scored_then_unscored() {
        let text = "# server:\nserver:\n  - ping\n  - tools-list\n\nclient:\n  - initialize\n  - auth/x\n\nnot_scored:\n  - scenario: auth/dpop\n    leg: client\n    reason: extension\n  - scenario: tasks-x\n    leg: server\n    reason: extension\n    note: >-\n      words: more\n";
        let told = |leg: Leg| -> Vec<(String, Option<String>)> {
            read_requirements(text, leg).into_iter().map(|it| (it.scenario, it.not_scored)).collect()
        };
        let extension = Some("extension".to_owned());
        let server = [("ping".to_owned(), None), ("tools-list".to_owned(), None), ("tasks-x".to_owned(), extension)];
        assert_eq!(told(Leg::Server), server);
        assert_eq!(told(Leg::Client), [("initialize".to_owned(), None)]);
    }

    #[test]
    fn the_list_tells_what_applies_to_a_revision() {
        let text = "Server scenarios (test against a server):\n  - a [2025-06-18,2025-11-25]\n  - b [2026-07-28]\n\nClient scenarios (test against a client):\n  - c [2025-06-18]\n";
        let found = read_list(text, Leg::Server, "2025-06-18");
        assert_eq!(found, [Requirement { scenario: "a".to_owned(), not_scored: None }]);
    }

    #[test]
    fn a_results_folder_names_its_scenario() {
        assert_eq!(scenario_of("server-server-sse-polling-2026-11-22T11-53-14-565Z"), Some("server-sse-polling"));
        assert_eq!(scenario_of("server-x"), None);
        assert_eq!(scenario_of("client-initialize-2026-11-22T11-53-14-565Z"), None);
    }

    #[test]
    fn one_failed_check_fails_one_warning_warns_and_none_at_all_skips() {
        let checks = |statuses: &[&str]| statuses.iter().map(|status| json!({ "status": status })).collect::<Vec<_>>();
        assert_eq!(outcome_of(&checks(&["SUCCESS", "FAILURE"])), Outcome::Failed);
        assert_eq!(outcome_of(&checks(&["INFO", "SUCCESS"])), Outcome::Passed);
        assert_eq!(outcome_of(&checks(&["INFO", "SUCCESS", "WARNING"])), Outcome::Warned);
        assert_eq!(outcome_of(&checks(&["SKIPPED"])), Outcome::Skipped);
    }
}
