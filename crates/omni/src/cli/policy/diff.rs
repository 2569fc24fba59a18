//! `omni policy diff CASES --against FILE`: what another configuration would decide otherwise, before it is in force.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cli::context::Context;
use crate::cli::policy::cases::Cases;
use crate::cli::policy::load::{built, policy_of};
use crate::cli::say::say;
use crate::config;

/// Show what another configuration would decide otherwise.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The cases, as `omni policy test` reads them.
    cases: PathBuf,
    /// The configuration that is not in force yet.
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
}

impl DiffArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let cases = Cases::read(&self.cases)?;
        let now = cases.table(&policy_of(context)?)?;
        let then = cases.table(&built(&config::load(&self.against, &context.around)?.settings)?)?;
        let changed: Vec<_> = now.lines().zip(then.lines()).filter(|(now, then)| now != then).collect();
        for (now, then) in &changed {
            let word = then.split_whitespace().next().unwrap_or_default();
            say!("{now} -> {word}");
        }
        say!("{} of {} decisions change", changed.len(), now.lines().count());
        Ok(if changed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
