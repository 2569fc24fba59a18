//! Events as lines of the hub's log.

use crate::event::{Event, EventKind, Outcome};
use crate::sink::Sink;
use crate::who::Who;

/// Writes lines of the hub's log, target `audit`.
#[derive(Debug)]
pub(crate) struct HubLog;

impl Sink for HubLog {
    fn record(&self, who: Who, event: Event) {
        let Event { kind, action, resource, outcome, reason, arguments_sha256, duration, trace_id, facts } = event;
        let (kind_name, outcome_name) = (kind.as_str(), outcome.as_str());
        let server = resource.as_ref().and_then(|r| r.server.as_deref()).unwrap_or("-");
        let name = resource.as_ref().map_or("-", |r| r.name.as_str());
        let micros = duration.map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX));
        let digest = arguments_sha256.map(|digest| digest.iter().map(|b| format!("{b:02x}")).collect::<String>());
        let facts = facts.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(" ");
        // Level and target of a line stand in its call site, so there are two.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(target: "audit", kind = kind_name, %who, action, server, name, outcome = outcome_name,
                    reason, digest, micros, trace_id, facts, "audit")
            };
        }
        if quiet(kind, outcome) { line!(debug) } else { line!(info) }
    }

    fn keeps(&self, kind: EventKind, outcome: Outcome) -> bool {
        if quiet(kind, outcome) {
            tracing::enabled!(target: "audit", tracing::Level::DEBUG)
        } else {
            tracing::enabled!(target: "audit", tracing::Level::INFO)
        }
    }
}

/// What happens with every call and went well: too much for a log that people read.
const fn quiet(kind: EventKind, outcome: Outcome) -> bool {
    matches!((kind, outcome), (EventKind::Call | EventKind::Decision | EventKind::Authentication, Outcome::Success))
}
