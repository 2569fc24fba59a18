//! `omni policy show`: every policy in force, as Cedar.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cli::context::Context;
use crate::cli::policy::load::policy_of;
use crate::cli::say::say;

/// Show every policy as Cedar, also what the lists and roles of the configuration mean.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The schema that policies are checked against instead.
    #[arg(long)]
    schema: bool,
}

impl ShowArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        if self.schema {
            say!("{}", omni_auth::Policy::schema().trim_end());
        } else {
            say!("{}", policy_of(context)?.to_cedar().trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}
