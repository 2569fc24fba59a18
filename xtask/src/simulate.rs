//! `cargo xtask simulate`: the hub under a simulated network and clock, one world a seed.

use crate::{optimised, step};
use anyhow::Result;

/// What `cargo xtask test` runs: so many worlds, which take a minute; on a slow machine as many as fit into a minute and a half.
const IN_TEST: &[&str] = &["--seeds", "2400", "--seconds", "90"];
/// And some that are lived through twice, and must go the same way both times: a failing seed is worth something only then.
const TWICE_IN_TEST: &[&str] = &["--from", "1000000", "--seeds", "200", "--twice"];

/// Runs the simulation with the arguments given.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "--planted") {
        return planted();
    }
    start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Runs it as a part of all tests, and whether it would have noticed.
pub(crate) fn run_in_test() -> Result<()> {
    start(IN_TEST)?;
    start(TWICE_IN_TEST)?;
    planted()
}

fn planted() -> Result<()> {
    cargo(&["test", "--quiet", "--test", "planted"])
}

fn start(arguments: &[&str]) -> Result<()> {
    cargo(&["build", "--quiet", "--bin", "omni-simulation"])?;
    step::run(&[&["target/debug/omni-simulation"], arguments].concat(), &[])
}

/// Cargo with what the simulation is built with.
fn cargo(words: &[&str]) -> Result<()> {
    let settings = optimised::words();
    let words = ["cargo"].iter().chain(words).copied().chain(settings.iter().map(String::as_str));
    step::run(&words.collect::<Vec<_>>(), &[])
}
