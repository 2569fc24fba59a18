//! `omni audit make-key`: an encryption key for the log, to be kept elsewhere than beside it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use omni_audit::FileKek;

use crate::cli::say::{say, say_err};

/// Make an encryption key to be kept elsewhere, such as in Vault, and named by `audit.keys.encryption`. It is written nowhere but to
/// standard output: `omni audit make-key | omni secret set audit-key`.
#[derive(Debug, Args)]
pub(crate) struct MakeKeyArgs {}

/// Makes one.
pub(crate) fn run() -> Result<ExitCode> {
    let key = FileKek::generate()?;
    say!("{}", key.secret_text().trim_end());
    say_err!(
        "Whoever has it and the log's folder reads the log. Without it nobody does: keep a copy where it is safe."
    );
    Ok(ExitCode::SUCCESS)
}
