//! `cargo xtask bench`: the load generator against the hub, both built for release.

use crate::step::Steps;
use anyhow::Result;
use std::process::ExitCode;

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut steps = Steps::default();
    if steps.program("build", &["cargo", "build", "--release", "--package", "omni", "--package", "omni-bench"]) {
        let mut words = vec!["target/release/omni-bench", "run", "--omni", "target/release/omni"];
        words.extend(arguments.iter().map(String::as_str));
        steps.program("bench", &words);
    }
    Ok(steps.finish())
}
