//! `omni audit prune`: days that were kept long enough are deleted, on record.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use omni_audit::query::instant;
use omni_audit::{LastingLog, LogError, LogSettings, Pruning, prune_plan};

use crate::cli::audit::log_dir::LogDir;
use crate::cli::context::Context;
use crate::cli::say::{say, say_err};
use crate::run;

const DAY_S: u64 = 24 * 60 * 60;

/// Delete whole days that were kept long enough. A hub that runs does so itself, once a day; a file `hold` in the log's folder
/// stops both. What stays can still be verified.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Only say what would be deleted.
    #[arg(long)]
    dry_run: bool,
    /// Refuse, and delete nothing, where a day before this one (YYYY-MM-DD) is still to be kept.
    #[arg(long, value_name = "DAY")]
    before: Option<String>,
    #[command(flatten)]
    log: LogDir,
}

impl PruneArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let folder = self.log.folder(context)?;
        let archive = self.log.archive(context)?;
        let retention = Duration::from_secs(run::configuration(context)?.0.audit.retention_days * DAY_S);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
        let now_us = u64::try_from(now.as_micros()).context("the clock stands too late")?;
        let plan = prune_plan(&archive, retention, now_us)?;
        if let (Some(before), Some((day, until))) = (&self.before, &plan.next)
            && day < before
        {
            bail!("{day} is to be kept until {}: nothing is deleted", time(*until));
        }
        if self.dry_run || plan.days.is_empty() {
            tell(&plan, "would be deleted");
            return Ok(ExitCode::SUCCESS);
        }
        let (log, notices) = match LastingLog::open(&LogSettings {
            retention,
            key_elsewhere: self.log.key(context)?,
            ..LogSettings::new(&folder)
        }) {
            Err(error @ LogError::Locked(_)) => {
                return Err(error).context("a hub that runs deletes what is due itself, once a day");
            }
            other => other?,
        };
        for notice in notices {
            say_err!("{notice}");
        }
        let pruned = log.prune();
        log.close();
        tell(&pruned?, "are deleted");
        Ok(ExitCode::SUCCESS)
    }
}

fn tell(plan: &Pruning, what: &str) {
    match (plan.days.first(), plan.days.last()) {
        (Some(first), Some(last)) => {
            say!(
                "{} records of {} days, {first} to {last}, {what}; record {} is the first that stays.",
                plan.records,
                plan.days.len(),
                plan.first_kept
            );
        }
        _ => say!("Nothing is due."),
    }
    if let Some((day, until)) = &plan.next {
        say!("{day} is to be kept until {}.", time(*until));
    }
}

fn time(us: u64) -> String {
    instant(i64::try_from(us).unwrap_or(i64::MAX))
}
