//! `omni profile`: the profiles of the configuration, listed, shown, and written into a project's CLAUDE.md.

mod apply;
mod list;
mod load;
mod marked;
mod show;
mod update;
mod visible;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::context::Context;

/// Profiles: what clients are told and shown.
#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Apply(apply::ApplyArgs),
    Update(update::UpdateArgs),
}

impl ProfileArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self.command {
            Command::List(command) => command.run(context),
            Command::Show(command) => command.run(context),
            Command::Apply(command) => command.run(context),
            Command::Update(command) => command.run(context),
        }
    }
}
