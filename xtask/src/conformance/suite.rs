//! The suite itself: its requirement sets, a run against a URL, and what it left in its results.

use crate::peers::{Peers, bounded};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one requirement set may take.
const RUN_LIMIT: Duration = Duration::from_secs(300);
/// What a results folder's name has before the scenario.
const FOLDER_PREFIX: &str = "server-";
/// The length of what a results folder's name has after the scenario: a dash and a time.
const FOLDER_SUFFIX_LEN: usize = "-2026-01-01T00-00-00-000Z".len();

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No check failed, and one at least was made.
    Passed,
    /// A check failed.
    Failed,
    /// No check was made.
    Skipped,
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
    pub(super) fn new(peers: &Peers, results: PathBuf) -> Result<Self> {
        fs::create_dir_all(&results).with_context(|| format!("cannot make {}", results.display()))?;
        let results = fs::canonicalize(&results).with_context(|| format!("cannot find {}", results.display()))?;
        let package = peers.node_modules.join("@modelcontextprotocol/conformance");
        Ok(Self { node: peers.node.clone(), package, results })
    }

    /// The suite's version, as its package says.
    pub(super) fn version(&self) -> Result<String> {
        let path = self.package.join("package.json");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let package: Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
        package["version"].as_str().map(str::to_owned).context("the suite's package tells no version")
    }

    /// The server scenarios of the frozen requirement set of `revision`, in its order.
    pub(super) fn requirements(&self, revision: &str) -> Result<Vec<Requirement>> {
        let path = self.package.join(format!("requirements/{revision}.yaml"));
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let requirements = read_requirements(&text);
        ensure!(!requirements.is_empty(), "{} names no server scenario", path.display());
        Ok(requirements)
    }

    /// Runs the requirement set of `revision` against `url`; how each scenario ended.
    pub(super) fn run(&self, url: &str, revision: &str, name: &str) -> Result<BTreeMap<String, Outcome>> {
        let folder = self.results.join(format!("{name}-{revision}"));
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let log = self.results.join(format!("{name}-{revision}.log"));
        let (node, program) = (self.node.to_string_lossy(), self.package.join("dist/index.js"));
        let (program, output) = (program.to_string_lossy(), folder.to_string_lossy());
        let words = [&*node, &*program, "server", "--url", url, "--requirements", revision, "-o", &*output];
        println!("conformance: {revision} against {name}");
        let status = bounded::run(&words, &self.results, &log, RUN_LIMIT)?;
        let outcomes = read_results(&folder)?;
        // Its exit code is 1 when a scored scenario failed, and also when it could not run at all.
        if outcomes.is_empty() {
            bail!("the suite ended with {status} and left no results\n{}", bounded::last_lines(&log));
        }
        Ok(outcomes)
    }
}

/// The scenarios of a requirements file: those under `server:`, then those of its `not_scored:` on the server's leg.
fn read_requirements(text: &str) -> Vec<Requirement> {
    let mut section = "";
    let mut requirements = Vec::new();
    let mut unscored: Option<(String, bool)> = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            section = name;
        } else if let Some(scenario) = line.strip_prefix("  - scenario: ") {
            unscored = Some((scenario.to_owned(), false));
        } else if let Some(scenario) = line.strip_prefix("  - ").filter(|_| section == "server") {
            requirements.push(Requirement { scenario: scenario.to_owned(), not_scored: None });
        } else if let Some((_, on_server)) = unscored.as_mut().filter(|_| line.starts_with("    leg: ")) {
            *on_server = line == "    leg: server";
        } else if let Some(reason) = line.strip_prefix("    reason: ")
            && let Some((scenario, true)) = unscored.take()
        {
            requirements.push(Requirement { scenario, not_scored: Some(reason.to_owned()) });
        }
    }
    requirements
}

fn read_results(folder: &Path) -> Result<BTreeMap<String, Outcome>> {
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
    } else if any("SUCCESS") || any("WARNING") {
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
    fn requirements_are_the_servers_scored_then_unscored() {
        let text = "# server:\nserver:\n  - ping\n  - tools-list\n\nclient:\n  - initialize\n\nnot_scored:\n  - scenario: auth/dpop\n    leg: client\n    reason: extension\n  - scenario: tasks-x\n    leg: server\n    reason: extension\n    note: >-\n      words: more\n";
        let found = read_requirements(text);
        let told: Vec<_> = found.iter().map(|it| (it.scenario.as_str(), it.not_scored.as_deref())).collect();
        assert_eq!(told, [("ping", None), ("tools-list", None), ("tasks-x", Some("extension"))]);
    }

    #[test]
    fn a_results_folder_names_its_scenario() {
        assert_eq!(scenario_of("server-server-sse-polling-2026-11-22T11-53-14-565Z"), Some("server-sse-polling"));
        assert_eq!(scenario_of("server-x"), None);
        assert_eq!(scenario_of("client-initialize-2026-11-22T11-53-14-565Z"), None);
    }

    #[test]
    fn one_failed_check_fails_and_none_at_all_skips() {
        let checks = |statuses: &[&str]| statuses.iter().map(|status| json!({ "status": status })).collect::<Vec<_>>();
        assert_eq!(outcome_of(&checks(&["SUCCESS", "FAILURE"])), Outcome::Failed);
        assert_eq!(outcome_of(&checks(&["INFO", "SUCCESS", "WARNING"])), Outcome::Passed);
        assert_eq!(outcome_of(&checks(&["SKIPPED"])), Outcome::Skipped);
    }
}
