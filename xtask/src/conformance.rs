//! `cargo xtask conformance`: the official suite's server scenarios, against our fixture directly and through the hub.
//!
//! The fixture speaks both eras; through the hub each requirement set is asked of `/mcp/everything`, so that the same
//! era stands on both sides. `docs/CONFORMANCE.md` is made from the run, the reasons in it from the list of misses.

mod column;
mod misses;
mod report;
mod servers;
mod suite;

use crate::peers;
use anyhow::{Context as _, Result, bail};
use column::Column;
use misses::Misses;
use report::Report;
use std::fs;
use std::path::PathBuf;
use suite::Suite;

/// The revisions whose requirement sets are run.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];
/// The generated document.
const DOCUMENT: &str = "docs/CONFORMANCE.md";
/// The misses that are known, each with its reason.
const MISSES: &str = "tests/conformance-misses.json";
/// Where the suite's results and the logs are left.
const RESULTS: &str = "target/conformance";

/// What is asked for on the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// Only the fixture, without the hub; writes no document.
    direct: bool,
    /// Fail when the document differs from this run, instead of writing it.
    check: bool,
    /// Programs of the release profile.
    release: bool,
    /// The only era that the fixture speaks, to see what the hub carries from one to the other; writes no document.
    era: Option<String>,
    /// This program as the hub instead of the one built here; writes no document.
    omni: Option<PathBuf>,
    /// Another server instead of the fixture and the hub; writes no document.
    url: Option<String>,
    /// Only this requirement set.
    requirements: Option<String>,
}

/// `cargo xtask conformance [--check] [--direct] [--release] [--era legacy|modern] [--omni PROGRAM] [--url URL] [--requirements REVISION]`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = parse(arguments)?;
    let peers = peers::ensure()?;
    let suite = Suite::new(&peers, PathBuf::from(RESULTS))?;
    let revisions: Vec<&str> = REVISIONS
        .into_iter()
        .filter(|revision| options.requirements.as_deref().is_none_or(|it| it == *revision))
        .collect();
    if revisions.is_empty() {
        bail!("the requirement sets are {REVISIONS:?}");
    }
    if let Some(url) = &options.url {
        let mut report = Report::new(suite.version()?);
        add_runs(&mut report, &suite, Column::Direct, url, &revisions)?;
        print!("{}", report.summary());
        return Ok(());
    }
    let misses = Misses::read(MISSES.as_ref())?;
    let hub_program = if options.direct { None } else { Some(hub_program(&options)?) };
    let fixture = servers::Fixture::start(options.release, options.era.as_deref().unwrap_or("both"))?;
    let mut report = Report::new(suite.version()?);
    add_runs(&mut report, &suite, Column::Direct, fixture.url(), &revisions)?;
    if let Some(program) = hub_program {
        let hub = servers::Hub::start(program, fixture.url(), RESULTS.as_ref())?;
        let outcome = add_runs(&mut report, &suite, Column::Hub, hub.url(), &revisions);
        outcome.with_context(|| format!("the hub's log ends with\n{}", hub.last_lines()))?;
    }
    print!("{}", report.summary());
    if options.era.is_some() {
        return Ok(());
    }
    let unexpected = report.unexpected(&misses);
    if !options.direct && options.omni.is_none() && options.requirements.is_none() {
        settle_document(&report.document(&misses), options.check)?;
    }
    if !unexpected.is_empty() {
        bail!(
            "{} scenarios fail and are not in {MISSES}; their checks are in {RESULTS}:\n  {}",
            unexpected.len(),
            unexpected.join("\n  ")
        );
    }
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--direct" => options.direct = true,
            "--check" => options.check = true,
            "--release" => options.release = true,
            "--era" => options.era = Some(words.next().context("--era needs legacy or modern")?.clone()),
            "--omni" => options.omni = Some(words.next().context("--omni needs a program")?.into()),
            "--url" => options.url = Some(words.next().context("--url needs a URL")?.clone()),
            "--requirements" => {
                options.requirements = Some(words.next().context("--requirements needs a revision")?.clone());
            }
            unknown => bail!(
                "conformance takes --check, --direct, --release, --era ERA, --omni PROGRAM, --url URL and --requirements REVISION, not `{unknown}`"
            ),
        }
    }
    Ok(options)
}

fn hub_program(options: &Options) -> Result<PathBuf> {
    match &options.omni {
        Some(program) => Ok(program.clone()),
        None => servers::program("omni", "omni", options.release),
    }
}

fn add_runs(report: &mut Report, suite: &Suite, column: Column, url: &str, revisions: &[&str]) -> Result<()> {
    for revision in revisions {
        let outcomes = suite.run(url, revision, column.name())?;
        report.add(column, revision, suite.requirements(revision)?, outcomes);
    }
    Ok(())
}

/// Writes the document, or compares it with what is committed.
fn settle_document(made: &str, check: bool) -> Result<()> {
    if !check {
        fs::write(DOCUMENT, made).with_context(|| format!("cannot write {DOCUMENT}"))?;
        println!("wrote {DOCUMENT}");
        return Ok(());
    }
    let committed = fs::read_to_string(DOCUMENT).unwrap_or_default();
    if committed == made {
        return Ok(());
    }
    let differs = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    let (made, committed) = differs.unwrap_or(("(one is longer)", "(one is longer)"));
    bail!(
        "{DOCUMENT} is not what this run makes; `cargo xtask conformance` writes it anew\n  now:       {made}\n  committed: {committed}"
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn arguments_are_read_and_unknown_ones_refused() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let options = parse(&words(&["--check", "--url", "http://localhost:1/mcp"])).unwrap();
        assert!(options.check && !options.direct);
        assert_eq!(options.url.as_deref(), Some("http://localhost:1/mcp"));
        assert!(parse(&words(&["--url"])).is_err());
        assert!(parse(&words(&["--chekc"])).unwrap_err().to_string().contains("--chekc"));
    }
}
