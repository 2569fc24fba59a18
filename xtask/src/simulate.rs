//! `cargo xtask simulate`: the hub under a simulated network and clock, one world a seed.

use crate::step;
use anyhow::Result;

/// Runs the simulation with the arguments given; in CI and without any, for as long as its share of the run allows.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut words = vec!["cargo", "run", "--quiet", "--package", "omni-simulation", "--features", "clock", "--"];
    words.extend(arguments.iter().map(String::as_str));
    step::run(&words, &[])
}
