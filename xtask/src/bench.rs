//! `cargo xtask bench`: the load generator against the hub, both built as they are shipped (profile `dist`).

use crate::step::Steps;
use anyhow::Result;
use std::process::ExitCode;

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut steps = Steps::default();
    // `--counts`: instructions instead of time; all else is for either alike. They are counted in `release`, as they always were.
    let counts = arguments.iter().any(|argument| argument == "--counts");
    let (what, profile) = if counts { ("counts", "release") } else { ("run", "dist") };
    let build = ["cargo", "build", "--profile", profile, "--package", "omni", "--package", "omni-bench"];
    if steps.program("build", &build) {
        let (bench, omni) = (format!("target/{profile}/omni-bench"), format!("target/{profile}/omni"));
        let mut words = vec![bench.as_str(), what, "--omni", omni.as_str()];
        words.extend(arguments.iter().map(String::as_str).filter(|argument| *argument != "--counts"));
        steps.program("bench", &words);
    }
    Ok(steps.finish())
}
