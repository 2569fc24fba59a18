//! `omni store`: the hub's database, examined and brought up to date.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use omni_audit::{Event, EventKind, Outcome, Who};
use omni_auth::local_user;
use omni_store::Store;

use crate::cli::admin::DataDir;
use crate::cli::context::Context;
use crate::cli::say::say;
use crate::run;

/// The hub's database: API keys, revocations, approvals.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Examine the whole file.
    Check {
        #[command(flatten)]
        at: DataDir,
    },
    /// Bring it to the form that this hub knows (the hub does so itself when it first needs it).
    Migrate {
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        at: DataDir,
    },
}

impl StoreArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let (at, apply) = match self.what {
            What::Check { at } => (at, None),
            What::Migrate { dry_run, at } => (at, Some(!dry_run)),
        };
        let folder = at.folder(context)?;
        let store = Store::at(&folder);
        if !store.exists() && apply != Some(true) {
            say!("{}: nothing was kept yet", store.path().display());
            return Ok(ExitCode::SUCCESS);
        }
        let health = run::runtime()?.block_on(async {
            if apply == Some(true) {
                let before = if store.exists() { Some(store.check().await?) } else { None };
                let audit = run::open_audit(&run::configuration(context)?.0, Some(&folder), &Arc::default())?;
                let migrated = store.open().await;
                if migrated.is_ok() {
                    store.close().await;
                }
                let was_due = before.is_none_or(|before| before.steps.iter().any(|step| !step.applied));
                if was_due || migrated.is_err() {
                    let outcome = if migrated.is_ok() { Outcome::Success } else { Outcome::Failed };
                    let event = Event::new(EventKind::Administration, "store/migrate", outcome);
                    audit.audit().record(Who::from(&local_user()), event);
                }
                audit.close();
                migrated?;
            }
            anyhow::Ok(store.check().await?)
        })?;
        say!("{}", health.path.display());
        for step in &health.steps {
            say!("  {:04} {:<12} {}", step.version, step.name, if step.applied { "applied" } else { "to be applied" });
        }
        if health.problems.is_empty() {
            say!("  whole");
            return Ok(ExitCode::SUCCESS);
        }
        for problem in &health.problems {
            say!("  damaged: {problem}");
        }
        Ok(ExitCode::FAILURE)
    }
}
