//! `omni policy`: who may do what, tried, explained and compared before it is in force.

mod cases;
mod diff;
mod explain;
mod load;
mod recorded;
mod show;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::context::Context;

/// Who may do what: tried, explained and compared.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::TestArgs),
    Explain(Box<explain::ExplainArgs>),
    Diff(diff::DiffArgs),
    Show(show::ShowArgs),
}

impl PolicyArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self.command {
            Command::Test(command) => command.run(context),
            Command::Explain(command) => command.run(context),
            Command::Diff(command) => command.run(context),
            Command::Show(command) => command.run(context),
        }
    }
}
