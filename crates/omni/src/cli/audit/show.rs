//! `omni audit show`: one event whole, what belongs to it, and whether it is proven.

use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use omni_audit::export::json;
use omni_audit::query::{Query, Term, instant};
use omni_audit::{Order, RecordProof, Search, Seen, value_text};
use serde_json::json;

use crate::cli::audit::log_dir::{EventId, LogDir};
use crate::cli::audit::logs::Logs;
use crate::cli::audit::rows::Rows;
use crate::cli::context::Context;
use crate::cli::printable::printable;
use crate::cli::say::say;

/// Events before and after that are shown with one.
const AROUND: u64 = 2;
/// Events of one trace that are shown with one of them.
const TRACE_MAX: usize = 20;

/// Show one event whole, with its trace, its proof and its neighbours.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The event's id, as `query` shows it.
    id: EventId,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogDir,
}

impl ShowArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let mut logs = self.log.logs(context)?;
        let EventId { log, index } = self.id;
        let search = logs.numbered(log)?;
        let of_log = |event| Seen { log, ..event };
        let event = of_log(search.event(index)?);
        let proof = proof(search, index);
        let around: Vec<Seen> = (index.saturating_sub(AROUND)..=index.saturating_add(AROUND))
            .filter(|id| *id != index)
            .filter_map(|id| search.event(id).ok().map(of_log))
            .collect();
        let trace = of_trace(&mut logs, &event)?;
        if self.json {
            let list = |events: &[Seen]| events.iter().map(json).collect::<Vec<_>>();
            let (held, why) = match &proof {
                Ok(text) => (true, text),
                Err(text) => (false, text),
            };
            let proof = json!({ "proven": held, "says": why });
            say!(
                "{:#}",
                json!({ "event": json(&event), "proof": proof, "trace": list(&trace), "around": list(&around) })
            );
            return Ok(ExitCode::SUCCESS);
        }
        say!("{:<18}{}", "id", event.id());
        say!("{:<18}{}", "time", instant(event.time_us));
        for field in &event.fields {
            say!("{:<18}{}", printable(&field.name), printable(&value_text(&field.value)));
        }
        for (part, why) in [("personal", &event.closed.personal), ("internal", &event.closed.internal)] {
            if let Some(why) = why {
                say!("{:<18}cannot be read: {}", format!("({part} fields)"), printable(why));
            }
        }
        match &proof {
            Ok(text) => say!("{:<18}{text}", "proof"),
            Err(text) => say!("{:<18}NOT PROVEN: {}", "proof", printable(text)),
        }
        for (title, events) in [("of the same trace", &trace), ("around it", &around)] {
            if !events.is_empty() {
                say!("\n{title}:");
                Rows::to_stdout().print(events);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether the event's record is in the tree of the latest checkpoint, by the keys that the log says are its own.
fn proof(search: &Search, id: u64) -> Result<String, String> {
    let proof = RecordProof::of(search.archive(), id).map_err(|error| error.to_string())?;
    let proven = proof.check(search.archive().verifiers()).map_err(|error| error.to_string())?;
    Ok(format!("in the tree of {} records with root {}, signed by {}", proven.size, proven.root, proven.signed_by))
}

fn of_trace(logs: &mut Logs, event: &Seen) -> Result<Vec<Seen>> {
    let mut found = Vec::new();
    let Some(trace) = event.text("trace_id") else { return Ok(found) };
    let mut query = Query::default();
    query.add(Term::exact("trace", trace))?;
    logs.find(&query, Order::Oldest, &mut |other| {
        if (other.log, other.index) != (event.log, event.index) {
            found.push(other);
        }
        if found.len() < TRACE_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}
