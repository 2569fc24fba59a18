//! `omni audit tail`: the latest events, and those that come.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use omni_audit::export::json;
use omni_audit::{Order, Seen};

use crate::cli::audit::filter::Filter;
use crate::cli::audit::log_dir::{LogDir, tell_damage};
use crate::cli::audit::rows::Rows;
use crate::cli::context::Context;
use crate::cli::say::say;

/// How often the log is looked at. As with the configuration, a look also sees what file notifications miss.
const LOOK: Duration = Duration::from_millis(300);

/// Show the latest events, and follow what comes until interrupted.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    filter: Filter,
    /// So many of the latest.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20)]
    lines: usize,
    /// Show them and end.
    #[arg(long)]
    no_follow: bool,
    /// Print a JSON object a line, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogDir,
}

impl TailArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let query = self.filter.query()?;
        let search = self.log.search(context)?;
        let mut rows = Rows::to_stdout();
        let mut show = |events: &[Seen]| {
            if self.json { events.iter().for_each(|event| say!("{}", json(event))) } else { rows.print(events) }
        };
        // What is written while the latest are looked for comes after them.
        let mut follow = search.follow()?;
        let mut latest = Vec::new();
        if self.lines > 0 {
            search.find(&query, Order::Newest, &mut |event| {
                if event.index >= follow.next_index() {
                    return ControlFlow::Continue(());
                }
                latest.push(event);
                if latest.len() >= self.lines { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        latest.reverse();
        show(&latest);
        drop(latest);
        tell_damage(&search);
        if self.no_follow {
            return Ok(ExitCode::SUCCESS);
        }
        crate::run::runtime()?.block_on(async {
            loop {
                let mut events = Vec::new();
                follow.look(&search, &query, &mut events)?;
                show(&events);
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
                }
            }
        })
    }
}
