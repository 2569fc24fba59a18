//! The runs of the suite, side by side: each with servers of its own, so that none hears of another's changes.

use super::column::Column;
use super::servers::{Fixture, Hub};
use super::suite::{Outcome, Outcomes, Suite};
use crate::own;
use anyhow::{Context as _, Result, anyhow};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Runs at the same time. They mostly wait; more of them would make late what the suite expects soon.
const SIDE_BY_SIDE: usize = 3;

/// One start of the suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) column: Column,
    pub(super) revision: String,
    /// The one scenario, on the client's leg.
    pub(super) scenario: Option<String>,
}

/// What the runs are made with.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) suite: Suite,
    pub(super) fixture: PathBuf,
    pub(super) omni: PathBuf,
    /// Where each run leaves its files, in a folder of its own.
    pub(super) results: PathBuf,
}

/// Carries out all of `runs`; what came of each. The first error ends it.
pub(super) fn all(mut runs: Vec<Run>, means: &Means) -> Result<Vec<(Run, Outcomes)>> {
    // The longest first, so that none of them is alone at the end.
    runs.sort_by_key(|run| (run.scenario.is_none(), run.revision == "2026-07-28", run.column));
    let (waiting, done) = (Mutex::new(runs), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let next = held(&waiting).pop();
            let Some(run) = next else { return };
            let outcome = one(&run, means);
            if outcome.is_err() {
                held(&waiting).clear();
            }
            held(&done).push(outcome.map(|outcomes| (run, outcomes)));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(work);
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Scenarios whose outcome depends on which of two streams comes about first.
const BY_LUCK: [(Column, &str, &str); 1] = [(Column::OtherEra, "2025-11-25", "elicitation-sep1034-client-defaults")];

fn one(run: &Run, means: &Means) -> Result<Outcomes> {
    let start = Instant::now();
    let name = [run.column.name(), &run.revision].into_iter().chain(run.scenario.as_deref());
    let name = name.collect::<Vec<_>>().join("-");
    let folder = means.results.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let outcomes = match &run.scenario {
        Some(scenario) => {
            let command = client_command(run.column, means, &folder)?;
            let outcome = means.suite.run_client(&command, scenario, &run.revision, &folder)?;
            // What passes by luck counts as missed: the document must not change from run to run.
            let by_luck = BY_LUCK.contains(&(run.column, run.revision.as_str(), scenario));
            let outcome = if by_luck && outcome.is_pass() { Outcome::Failed } else { outcome };
            BTreeMap::from([(scenario.clone(), outcome)])
        }
        None => server_run(run, means, &folder)?,
    };
    let passed = outcomes.values().filter(|outcome| outcome.is_pass()).count();
    let failed = outcomes.values().filter(|outcome| **outcome == Outcome::Failed).count();
    println!("conformance: {name}: {passed} pass, {failed} fail, {:.1} s", start.elapsed().as_secs_f64());
    Ok(outcomes)
}

fn server_run(run: &Run, means: &Means, folder: &Path) -> Result<Outcomes> {
    let era = match (run.column, run.revision.as_str()) {
        (Column::Cross, "2026-07-28") => "legacy",
        (Column::Cross, _) => "modern",
        _ => "both",
    };
    let fixture = Fixture::start(&means.fixture, era)?;
    if run.column == Column::Direct {
        return means.suite.run_server(fixture.url(), &run.revision, folder);
    }
    let mut servers = json!({ "everything": { "url": fixture.url().replace("localhost", "127.0.0.1") } });
    if run.column == Column::Aggregate {
        servers["second"] = json!({ "command": means.fixture, "args": ["everything", "--stdio", "--page-size", "4"] });
    }
    let hub = Hub::start(&means.omni, &servers, folder)?;
    let path = if run.column == Column::Aggregate { "/mcp" } else { "/mcp/everything" };
    let outcomes = means.suite.run_server(&hub.url(path), &run.revision, folder);
    outcomes.with_context(|| format!("the hub's log ends with\n{}", hub.last_lines()))
}

/// The command that the suite starts as the client: this program, which starts a hub and drives it (`drive.rs`).
fn client_command(column: Column, means: &Means, folder: &Path) -> Result<String> {
    let this = own::program()?;
    let words = [this.as_path(), Path::new("conformance-client"), &means.omni, folder, Path::new(column.name())];
    let quoted = words.iter().map(|word| {
        let word = word.to_str().filter(|word| !word.contains('\''));
        word.map(|word| format!("'{word}'")).ok_or_else(|| anyhow!("a path is not plain enough for a shell"))
    });
    Ok(quoted.collect::<Result<Vec<_>>>()?.join(" "))
}
