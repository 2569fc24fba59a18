//! `cargo xtask fixtures`: what tests talk to, made ready: the real peers, and our own conforming server.

use crate::peers;
use crate::step::Steps;
use anyhow::Result;
use std::process::ExitCode;

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut steps = Steps::default();
    steps.call("peers", "cargo xtask fixtures", || peers::run(arguments));
    steps.program("build", &["cargo", "build", "--package", "omni-fixtures", "--bins"]);
    Ok(steps.finish())
}
