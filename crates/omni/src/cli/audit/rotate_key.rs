//! `omni audit rotate-key`: new keys for the log, without a record being rewritten.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use omni_audit::{LastingLog, LogSettings};

use crate::cli::audit::log_dir::LogDir;
use crate::cli::context::Context;
use crate::cli::say::{say, say_err};

/// Give the log new keys. No hub may write it meanwhile: stop it first.
#[derive(Debug, Args)]
pub(crate) struct RotateKeyArgs {
    /// Which key.
    #[arg(value_enum)]
    which: Which,
    #[command(flatten)]
    log: LogDir,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The key that signs checkpoints. The one before vouches for it in a record.
    Signing,
    /// The key that wraps the data keys.
    Encryption,
}

impl RotateKeyArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let folder = self.log.folder(context)?;
        // Opening would begin a log where there is none.
        self.log.archive(context)?;
        let (log, notices) = LastingLog::open(&LogSettings::new(&folder)).context(
            "keys are changed by whoever writes the log, and a running hub cannot be asked to: stop it, rotate, start it again",
        )?;
        for notice in notices {
            say_err!("{notice}");
        }
        let rotated = match self.which {
            Which::Signing => log.rotate_signing_key().map(Some),
            Which::Encryption => log.rotate_encryption_key().map(|()| None),
        };
        log.close();
        match rotated.context("the key is as it was")? {
            Some(key) => {
                say!("{key}");
                say_err!(
                    "This is the log's public key from now on. Keep it where auditors find it, beside the ones before it."
                );
            }
            None => say_err!(
                "The data keys are wrapped with a new key. Backups of the old one still open old copies of them."
            ),
        }
        Ok(ExitCode::SUCCESS)
    }
}
