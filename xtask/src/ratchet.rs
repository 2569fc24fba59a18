//! `cargo xtask ratchet`: writes the list of what is too long anew; tidy measures, this only starts it.

use crate::step;
use anyhow::Result;
use std::process::ExitCode;

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let mut words = vec!["cargo", "run", "--quiet", "--package", "omni-tidy", "--", "ratchet"];
    words.extend(arguments.iter().map(String::as_str));
    step::run(&words, &[])?;
    Ok(ExitCode::SUCCESS)
}
