//! `omni audit`: who did what, and proof of it.

mod ask;
mod check_proof;
mod export;
mod filter;
mod log_dir;
mod logs;
mod make_key;
mod prove;
mod prune;
mod rotate_key;
mod rows;
mod rows_width;
mod show;
mod tail;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cli::context::Context;

/// Who did what: asked, followed, exported, verified and proven.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Tail(tail::TailArgs),
    Query(ask::QueryArgs),
    Show(show::ShowArgs),
    Export(export::ExportArgs),
    Verify(verify::VerifyArgs),
    Prove(prove::ProveArgs),
    Prune(prune::PruneArgs),
    CheckProof(check_proof::CheckProofArgs),
    RotateKey(rotate_key::RotateKeyArgs),
    MakeKey(make_key::MakeKeyArgs),
}

impl AuditArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self.what {
            What::Tail(command) => command.run(context),
            What::Query(command) => command.run(context),
            What::Show(command) => command.run(context),
            What::Export(command) => command.run(context),
            What::Verify(command) => command.run(context),
            What::Prove(command) => command.run(context),
            What::Prune(command) => command.run(context),
            What::CheckProof(command) => command.run(),
            What::RotateKey(command) => command.run(context),
            What::MakeKey(_) => make_key::run(),
        }
    }
}
