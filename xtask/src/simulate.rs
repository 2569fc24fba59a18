//! `cargo xtask simulate`: the hub under a simulated network and clock, one world a seed.

use crate::step;
use anyhow::Result;

/// What `cargo xtask test` runs: as many worlds as fit into its share of the run.
const IN_TEST: &[&str] = &["--seeds", "20000", "--seconds", "20"];

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
    planted()
}

fn planted() -> Result<()> {
    step::run(
        &["cargo", "test", "--quiet", "--package", "omni-simulation", "--features", "clock", "--test", "planted"],
        &[],
    )
}

fn start(arguments: &[&str]) -> Result<()> {
    let words = ["cargo", "run", "--quiet", "--package", "omni-simulation", "--features", "clock", "--"];
    step::run(&[&words, arguments].concat(), &[])
}
