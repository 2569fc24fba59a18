//! `omni audit prove`: a file by which somebody without the hub can see that a record is in the log.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use omni_audit::RecordProof;

use crate::cli::audit::log_dir::{EventId, LogDir};
use crate::cli::context::Context;
use crate::cli::say::{say, say_err};

/// Write a proof that an event's record is in the log (C2SP tlog-proof). `omni audit check-proof` checks it anywhere.
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The event's id, as `query` shows it.
    id: EventId,
    /// The file to write, instead of standard output.
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    log: LogDir,
}

impl ProveArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let archive = self.log.archive_of(context, self.id)?;
        let proof = RecordProof::of(&archive, self.id.index)?.to_string();
        match &self.output {
            None => say!("{}", proof.trim_end()),
            Some(path) => {
                std::fs::write(path, proof).with_context(|| format!("{} cannot be written", path.display()))?;
                say_err!(
                    "{} proves record {}. Who checks it needs the log's public key, from somewhere they trust:",
                    path.display(),
                    self.id.index
                );
                for key in archive.verifiers() {
                    say_err!("  {key}");
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
