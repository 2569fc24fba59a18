//! `cargo xtask bench`: the load generator against the hub, both built for release.

use crate::step::Steps;
use anyhow::Result;
use std::process::ExitCode;

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut steps = Steps::default();
    if steps.program("build", &["cargo", "build", "--release", "--package", "omni", "--package", "omni-bench"]) {
        // `--counts`: instructions instead of time; all else is for either alike.
        let counts = arguments.iter().any(|argument| argument == "--counts");
        let what = if counts { "counts" } else { "run" };
        let mut words = vec!["target/release/omni-bench", what, "--omni", "target/release/omni"];
        words.extend(arguments.iter().map(String::as_str).filter(|argument| *argument != "--counts"));
        steps.program("bench", &words);
    }
    Ok(steps.finish())
}
