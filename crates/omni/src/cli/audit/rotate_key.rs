//! `omni audit rotate-key`: new keys for the log, without a record being rewritten.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use omni_audit::{Event, EventKind, LastingLog, LogSettings, Origin, Outcome, Sink as _, Transport, Who};
use omni_auth::local_user;
use serde_json::json;

use crate::cli::audit::log_dir::LogDir;
use crate::cli::context::Context;
use crate::cli::say::{say, say_err};

/// Give the log new keys: by the hub that runs, or where none does, here. Nothing is rewritten, and all stays readable.
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
        if let Some(public) = self.by_hub(context)? {
            tell(public.as_deref());
            return Ok(ExitCode::SUCCESS);
        }
        let folder = self.log.folder(context)?;
        // Opening would begin a log where there is none.
        self.log.archive(context)?;
        let (log, notices) = LastingLog::open(&LogSettings {
            key_elsewhere: self.log.key(context)?,
            ..LogSettings::new(&folder)
        })
        .context(
            "keys are changed by whoever writes the log, and the process that does has no admin API: stop it, rotate, start it again",
        )?;
        for notice in notices {
            say_err!("{notice}");
        }
        let rotated = match self.which {
            Which::Signing => log.rotate_signing_key().map(Some),
            Which::Encryption => log.rotate_encryption_key().map(|()| None),
        };
        if rotated.is_ok() {
            record(&log, self.which);
        }
        log.close();
        tell(rotated.context("the key is as it was")?.as_deref());
        Ok(ExitCode::SUCCESS)
    }

    /// What the hub says that runs with this log, where one does: the public key, where it has one.
    fn by_hub(&self, context: &Context) -> Result<Option<Option<String>>> {
        let Some(at) = self.log.of_hub() else { return Ok(None) };
        let body = json!({ "key": self.which.as_str() });
        let answer = at.running(context, "POST", "/audit/rotate", Some(&body))?;
        Ok(answer.map(|answer| answer["public"].as_str().map(str::to_owned)))
    }
}

impl Which {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Encryption => "encryption",
        }
    }
}

/// As the admin API has it on record.
fn record(log: &LastingLog, which: Which) {
    let origin = Origin { transport: Some(Transport::Command), ..Origin::default() };
    let event = Event::new(EventKind::Administration, "audit/rotate", Outcome::Success).from(origin);
    log.record(Who::from(&local_user()), event.on(None, which.as_str()));
}

fn tell(public: Option<&str>) {
    match public {
        Some(key) => {
            say!("{key}");
            say_err!(
                "This is the log's public key from now on. Keep it where auditors find it, beside the ones before it."
            );
        }
        None => {
            say_err!("The data keys are wrapped with a new key. Backups of the old one still open old copies of them.")
        }
    }
}
