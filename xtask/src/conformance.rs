//! `cargo xtask conformance`: the official suite against our fixture, through the hub each way, and against the hub as a
//! client.
//!
//! `docs/CONFORMANCE.md` is made from the run, the reasons in it from the list of misses.

mod column;
mod document;
mod drive;
mod misses;
mod report;
mod runs;
mod servers;
mod suite;

use crate::peers;
use anyhow::{Context as _, Result, bail, ensure};
use column::{Column, Leg};
use misses::Misses;
use report::{Report, Section};
use runs::{Means, Run};
use std::fs;
use std::path::{Path, PathBuf};
use suite::Suite;

pub(crate) use drive::run as run_client;

/// The revisions whose scenarios are run, by leg, in the order of the document.
const SECTIONS: [(Leg, &str); 6] = [
    (Leg::Server, "2026-07-28"),
    (Leg::Server, "2025-11-25"),
    (Leg::Server, "2025-06-18"),
    (Leg::Server, "2025-03-26"),
    (Leg::Client, "2026-07-28"),
    (Leg::Client, "2025-11-25"),
];
/// The generated document.
const DOCUMENT: &str = "docs/CONFORMANCE.md";
/// The misses that are known, each with its reason.
const MISSES: &str = "tests/conformance-misses.json";
/// Where the suite's results and the logs are left.
const RESULTS: &str = "target/conformance";

/// What is asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// Fail when the document differs from this run, instead of writing it.
    check: bool,
    /// Programs of the release profile.
    release: bool,
    /// Only these columns; writes no document.
    only: Vec<String>,
    /// This program as the hub instead of the one built here; writes no document.
    omni: Option<PathBuf>,
    /// Another server instead of the fixture and the hub; writes no document.
    url: Option<String>,
    /// Only this revision; writes no document.
    revision: Option<String>,
}

impl Options {
    fn is_partial(&self) -> bool {
        !self.only.is_empty() || self.omni.is_some() || self.url.is_some() || self.revision.is_some()
    }

    fn wants(&self, column: Column) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == column.name())
    }
}

/// `cargo xtask conformance [--check] [--release] [--only COLUMN]... [--revision REVISION] [--omni PROGRAM] [--url URL]`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = parse(arguments)?;
    let peers = peers::ensure()?;
    fs::create_dir_all(RESULTS).with_context(|| format!("cannot make {RESULTS}"))?;
    let results = fs::canonicalize(RESULTS).with_context(|| format!("cannot find {RESULTS}"))?;
    let suite = Suite::new(&peers, results.clone());
    let wanted = |revision: &str| options.revision.as_deref().is_none_or(|it| it == revision);
    let mut sections = Vec::new();
    for (leg, revision) in SECTIONS.into_iter().filter(|(_, revision)| wanted(revision)) {
        sections.push(Section::new(leg, revision, suite.requirements(leg, revision)?));
    }
    ensure!(!sections.is_empty(), "the suite is run at the revisions {:?}", SECTIONS.map(|(_, revision)| revision));
    let mut report = Report::new(suite.version()?, sections);
    if let Some(url) = &options.url {
        for (_, revision) in SECTIONS.into_iter().filter(|(leg, revision)| *leg == Leg::Server && wanted(revision)) {
            let folder = results.join(format!("url-{revision}"));
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            report.add(Column::Direct, revision, suite.run_server(url, revision, &folder)?);
        }
        print!("{}", report.summary());
        return Ok(());
    }
    let misses = Misses::read(MISSES.as_ref())?;
    let omni = match &options.omni {
        Some(program) => fs::canonicalize(program).with_context(|| format!("{} is not there", program.display()))?,
        None => servers::program("omni", "omni", options.release)?,
    };
    let fixture = servers::program("omni-fixture", "omni-fixtures", options.release)?;
    let means = Means { suite, fixture, omni, results };
    for (run, outcomes) in runs::all(plan(&report, &options), &means)? {
        report.add(run.column, &run.revision, outcomes);
    }
    print!("{}", report.summary());
    if !options.is_partial() {
        settle_document(&document::write(&report, &misses), options.check)?;
    }
    settle_misses(&report, &misses)
}

/// The runs that fill the report.
fn plan(report: &Report, options: &Options) -> Vec<Run> {
    let mut runs = Vec::new();
    for section in &report.sections {
        let revision = section.revision.as_str();
        let columns = section.leg.columns().iter().filter(|it| it.is_of(revision) && options.wants(**it));
        for &column in columns {
            let run = |scenario: Option<&str>| Run {
                column,
                revision: revision.to_owned(),
                scenario: scenario.map(str::to_owned),
            };
            match section.leg {
                Leg::Server => runs.push(run(None)),
                Leg::Client => runs.extend(section.requirements.iter().map(|it| run(Some(&it.scenario)))),
            }
        }
    }
    runs
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = |what: &str| words.next().cloned().with_context(|| format!("{word} needs {what}"));
        match word.as_str() {
            "--check" => options.check = true,
            "--release" => options.release = true,
            "--only" => options.only.push(value("a column")?),
            "--omni" => options.omni = Some(value("a program")?.into()),
            "--url" => options.url = Some(value("a URL")?),
            "--revision" => options.revision = Some(value("a revision")?),
            unknown => bail!(
                "conformance takes --check, --release, --only COLUMN, --revision REVISION, --omni PROGRAM and --url URL, not `{unknown}`"
            ),
        }
    }
    let names = Column::ALL.map(Column::name);
    if let Some(unknown) = options.only.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("the columns are {}, not `{unknown}`", names.join(", "));
    }
    Ok(options)
}

/// Writes the document, or compares it with what is committed.
fn settle_document(made: &str, check: bool) -> Result<()> {
    if !check {
        fs::write(DOCUMENT, made).with_context(|| format!("cannot write {DOCUMENT}"))?;
        println!("wrote {DOCUMENT}");
        return Ok(());
    }
    let committed = fs::read_to_string(Path::new(DOCUMENT)).unwrap_or_default();
    if committed == made {
        return Ok(());
    }
    let differs = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    let (made, committed) = differs.unwrap_or(("(one is longer)", "(one is longer)"));
    bail!(
        "{DOCUMENT} is not what this run makes; `cargo xtask conformance` writes it anew, once {MISSES} is right\n  now:       {made}\n  committed: {committed}"
    );
}

/// Every miss has to be listed, and nothing else.
fn settle_misses(report: &Report, misses: &Misses) -> Result<()> {
    let unexpected = report.unexpected(misses);
    if !unexpected.is_empty() {
        bail!(
            "{} scenarios fail and are not in {MISSES}; their checks are in {RESULTS}:\n  {}",
            unexpected.len(),
            unexpected.join("\n  ")
        );
    }
    let outdated = report.outdated(misses);
    if !outdated.is_empty() {
        bail!("{MISSES} lists what is not missed; take it out:\n  {}", outdated.join("\n  "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn arguments_are_read_and_unknown_ones_refused() {
        let options = parse(&words(&["--check", "--url", "http://localhost:1/mcp"])).unwrap();
        assert!(options.check && options.is_partial());
        assert_eq!(options.url.as_deref(), Some("http://localhost:1/mcp"));
        assert!(parse(&words(&["--url"])).is_err());
        assert!(parse(&words(&["--chekc"])).unwrap_err().to_string().contains("--chekc"));
        assert!(parse(&words(&["--only", "crss"])).unwrap_err().to_string().contains("crss"));
    }

    #[test]
    fn only_what_is_asked_for_is_run() {
        let requirement = suite::Requirement { scenario: "x".to_owned(), not_scored: None };
        let section = |(leg, revision)| Section::new(leg, revision, vec![requirement.clone()]);
        let report = Report::new("1".to_owned(), SECTIONS.map(section).into());
        let all = plan(&report, &Options::default());
        assert_eq!(all.len(), 4 + 4 + 2 + 2 + 2 + 2);
        let some = plan(&report, &parse(&words(&["--only", "cross", "--only", "other-era"])).unwrap());
        assert_eq!(some.len(), 4);
        assert!(some.iter().all(|run| run.scenario.is_some() == (run.column == Column::OtherEra)));
    }
}
