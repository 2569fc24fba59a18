//! `omni audit query`: the events that are asked for, as a table or as JSON lines.

use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use omni_audit::Order;
use omni_audit::export::json;

use crate::cli::audit::filter::Filter;
use crate::cli::audit::log_dir::{LogDir, tell_damage};
use crate::cli::audit::rows::Rows;
use crate::cli::context::Context;
use crate::cli::say::{say, say_err};

/// Ask for events: the latest first.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  omni audit query --outcome denied --since 24h\n  omni audit query --who ann --server git --from 2026-11-01 --to 2026-12-01\n  omni audit query 'resource=git_*' 'transport!=stdio'"
)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    filter: Filter,
    /// At most so many.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    /// All of them.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// In the order in which they were written.
    #[arg(long)]
    oldest_first: bool,
    /// Only how many there are.
    #[arg(long, conflicts_with_all = ["limit", "all", "json"])]
    count: bool,
    /// Print a JSON object a line, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogDir,
}

impl QueryArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let query = self.filter.query()?;
        let mut logs = self.log.logs(context)?;
        let order = if self.oldest_first { Order::Oldest } else { Order::Newest };
        let limit = if self.all || self.count { usize::MAX } else { self.limit };
        let mut count = 0;
        let mut events = Vec::new();
        let mut more = false;
        logs.find(&query, order, &mut |event| {
            if count == limit {
                more = true;
                return ControlFlow::Break(());
            }
            count += 1;
            match (self.count, self.json) {
                (true, _) => {}
                (false, true) => say!("{}", json(&event)),
                (false, false) => events.push(event),
            }
            ControlFlow::Continue(())
        })?;
        if self.count {
            say!("{count}");
        }
        Rows::to_stdout().print(&events);
        if count == 0 && !self.json && !self.count {
            say_err!("There is no such event.");
        }
        if more {
            say_err!("There are more: --limit {}, --all, or a narrower question.", limit.saturating_mul(10));
        }
        tell_damage(&logs);
        Ok(ExitCode::SUCCESS)
    }
}
