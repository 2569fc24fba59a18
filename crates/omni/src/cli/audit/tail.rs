//! `omni audit tail`: the latest events, and those that come.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use omni_audit::export::json;
use omni_audit::{Follow, Order, Seen};

use crate::cli::audit::filter::Filter;
use crate::cli::audit::log_dir::{LogDir, tell_damage};
use crate::cli::audit::logs::Logs;
use crate::cli::audit::rows::Rows;
use crate::cli::context::Context;
use crate::cli::say::say;

/// How often the log is looked at. As with the configuration, a look also sees what file notifications miss.
const LOOK: Duration = Duration::from_millis(300);
/// After so many looks it is looked for processes that began to write a log of their own.
const LOOKS_FOR_OTHERS: u32 = 10;

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
        let mut logs = self.log.logs(context)?;
        let mut rows = Rows::to_stdout();
        let mut show = |events: &[Seen]| {
            if self.json { events.iter().for_each(|event| say!("{}", json(event))) } else { rows.print(events) }
        };
        // What is written while the latest are looked for comes after them.
        let mut following = follow(&logs)?;
        let mut latest = Vec::new();
        if self.lines > 0 {
            logs.find(&query, Order::Newest, &mut |event| {
                if following.get(&event.log).is_some_and(|follow| event.index >= follow.next_index()) {
                    return ControlFlow::Continue(());
                }
                latest.push(event);
                if latest.len() >= self.lines { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        latest.reverse();
        show(&latest);
        drop(latest);
        tell_damage(&logs);
        if self.no_follow {
            return Ok(ExitCode::SUCCESS);
        }
        crate::run::runtime()?.block_on(async {
            let (mut looks, mut beside) = (0_u32, self.log.beside(context)?.len());
            loop {
                let mut events = Vec::new();
                for (number, search) in logs.each() {
                    let Some(follow) = following.get_mut(&number) else {
                        continue;
                    };
                    let from = events.len();
                    follow.look(search, &query, &mut events)?;
                    events[from..].iter_mut().for_each(|event| event.log = number);
                }
                events.sort_by_key(|event| event.time_us);
                show(&events);
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
                }
                looks = looks.wrapping_add(1);
                if !looks.is_multiple_of(LOOKS_FOR_OTHERS) {
                    continue;
                }
                let now = self.log.beside(context)?.len();
                if std::mem::replace(&mut beside, now) != now {
                    // A process began a log of its own: it is read from its beginning.
                    logs = self.log.logs(context)?;
                    for (number, _) in logs.each() {
                        following.entry(number).or_insert_with(Follow::begin);
                    }
                }
            }
        })
    }
}

/// The end of each log as it is now.
fn follow(logs: &Logs) -> Result<BTreeMap<u8, Follow>> {
    logs.each().map(|(number, search)| Ok((number, search.follow()?))).collect()
}
