//! `cargo xtask test`: peers, one build, every test, the compile-fail proofs, the conformance run, and what was skipped.

use crate::skips;
use crate::step::{self, Steps};
use crate::tally::Tally;
use crate::{conformance, fuzz, simulate, soak};
use anyhow::{Context as _, Result, bail, ensure};
use std::io::{BufRead as _, BufReader};
use std::process::{ExitCode, Stdio};

/// Where nextest leaves its report (`.config/nextest.toml`).
const JUNIT: &str = "target/nextest/default/junit.xml";

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut steps = Steps::default();
    let mut tally = Tally::default();
    // Packages come from the network while the compiler has the processors.
    let peers = steps.beside("peers", &["peers"]);
    // Everything in one go and with the tests' features: the tests, and the binaries they start.
    let built = steps.program("build", &["cargo", "build", "--workspace", "--all-targets"]);
    steps.join(peers, "peers");
    let file = skips::fresh_file()?;
    if built {
        tests(&mut steps, &mut tally, arguments, &file.display().to_string());
        if arguments.is_empty() {
            proofs(&mut steps, &mut tally);
            let passed = steps
                .call("conformance", "cargo xtask conformance --check", || conformance::run(&["--check".to_owned()]));
            tally += Tally { passed: u64::from(passed), failed: u64::from(!passed) };
            let passed = steps.call("simulation", "cargo xtask simulate", simulate::run_in_test);
            tally += Tally { passed: u64::from(passed), failed: u64::from(!passed) };
            let passed = steps.call("soak", "cargo xtask soak", || soak::run(&[]));
            tally += Tally { passed: u64::from(passed), failed: u64::from(!passed) };
            let passed = steps.call("fuzz", "cargo xtask fuzz", fuzz::run_in_test);
            tally += Tally { passed: u64::from(passed), failed: u64::from(!passed) };
        }
    }
    let skipped = skips::read(&file)?;
    let refused: Vec<&str> =
        skipped.iter().filter(|skip| skips::is_failure(skip)).map(|skip| skip.component.as_str()).collect();
    if !refused.is_empty() {
        let again = "cargo xtask fixtures && cargo xtask test";
        steps.call("skips", again, || bail!("skipped, and to be had on a machine of CI: {}", refused.join(", ")));
    }
    let end = steps.finish();
    for skip in &skipped {
        println!("SKIPPED: {}: {}", skip.component, skip.reason);
    }
    if !arguments.is_empty() {
        println!(
            "left out, since nextest was given arguments: compile-fail proofs, conformance, simulation, soak, fuzz"
        );
    }
    // A test that skips passes for nextest; a step that failed without failing a test (a build) counts as one.
    let skips = skipped.len() as u64;
    let failed = if end == ExitCode::FAILURE { tally.failed.max(1) } else { tally.failed };
    println!("{} passed, {failed} failed, {skips} skipped", tally.passed.saturating_sub(skips));
    Ok(end)
}

/// All tests, or those that the arguments choose.
fn tests(steps: &mut Steps, tally: &mut Tally, arguments: &[String], skips: &str) {
    let mut words = vec!["cargo", "nextest", "run", "--no-fail-fast"];
    let chosen = ["-p", "--package", "--workspace", "--all"];
    if !arguments.iter().any(|argument| chosen.contains(&argument.as_str())) {
        // The default members are the program alone.
        words.push("--workspace");
    }
    words.extend(arguments.iter().map(String::as_str));
    // An old report must not speak for a run that wrote none.
    let _ = std::fs::remove_file(JUNIT);
    steps.program_with("nextest", &words, &[(skips::VARIABLE, skips)]);
    let report = std::fs::read_to_string(JUNIT).with_context(|| format!("the tests left no report at {JUNIT}"));
    match report.and_then(|report| Tally::of_junit(&report)) {
        Ok(counted) => *tally += counted,
        Err(error) => {
            steps.call("count", "cargo xtask test", || Err(error));
        }
    }
}

/// The documentation tests of omni-hub: they prove that a flow which forgets a stage does not compile.
fn proofs(steps: &mut Steps, tally: &mut Tally) {
    let words = ["cargo", "test", "--doc", "--package", "omni-hub"];
    steps.call("proofs", &words.join(" "), || {
        let mut child = step::command(&words).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
        let mut output = String::new();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                let line = line.context("cargo's output cannot be read")?;
                println!("{line}");
                output.push_str(&line);
                output.push('\n');
            }
        }
        let status = child.wait().context("cargo cannot be waited for")?;
        let proven = Tally::of_cargo_test(&output);
        *tally += proven;
        ensure!(status.success(), "`{}` ended with {status}", words.join(" "));
        ensure!(proven.passed > 0, "omni-hub has no documentation tests: the order of the stages is not proven");
        Ok(())
    });
}
