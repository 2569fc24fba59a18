//! Events as lines of the hub's log.

use crate::event::Event;
use crate::field::{EventField, FieldName, FieldValue};
use crate::kind::{EventKind, Outcome};
use crate::sink::Sink;
use crate::who::Who;

/// Writes lines of the hub's log, target `audit`.
#[derive(Debug)]
pub(crate) struct HubLog;

/// What has a place of its own in the line.
const PLACED: [FieldName; 6] =
    [FieldName::Kind, FieldName::Action, FieldName::Outcome, FieldName::Server, FieldName::Name, FieldName::Reason];

impl Sink for HubLog {
    fn record(&self, who: Who, event: Event) {
        let (kind, outcome) = (event.kind, event.outcome);
        if !self.keeps(kind, outcome) {
            return;
        }
        let fields = event.into_fields(&who);
        let text = |name: FieldName| fields.iter().find(|field| field.name == name).map(|field| shown(&field.value));
        let place = |name: FieldName| text(name).unwrap_or_else(|| "-".to_owned());
        let (action, server, name) = (place(FieldName::Action), place(FieldName::Server), place(FieldName::Name));
        let reason = text(FieldName::Reason);
        let is_fact = |field: &&EventField| !PLACED.contains(&field.name);
        let facts: Vec<String> = fields.iter().filter(is_fact).map(fact).collect();
        let (kind_name, outcome_name, facts) = (kind.as_str(), outcome.as_str(), facts.join(" "));
        // Level and target of a line stand in its call site, so there are two.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(target: "audit", kind = kind_name, %who, action, server, name, outcome = outcome_name,
                    reason, facts, "audit")
            };
        }
        if quiet(kind, outcome) { line!(debug) } else { line!(info) }
    }

    fn keeps(&self, kind: EventKind, outcome: Outcome) -> bool {
        is_logged(kind, outcome)
    }
}

/// Whether events of this kind and outcome are lines of the hub's log as it is set.
#[must_use]
pub fn is_logged(kind: EventKind, outcome: Outcome) -> bool {
    if quiet(kind, outcome) {
        tracing::enabled!(target: "audit", tracing::Level::DEBUG)
    } else {
        tracing::enabled!(target: "audit", tracing::Level::INFO)
    }
}

fn fact(field: &EventField) -> String {
    format!("{}={:?}", field.name.as_str(), shown(&field.value))
}

fn shown(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) => text.clone(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Digest(digest) => omni_types::hex(digest),
        FieldValue::List(list) => list.join(","),
    }
}

/// What happens with every call and went well: too much for a log that people read.
const fn quiet(kind: EventKind, outcome: Outcome) -> bool {
    matches!(
        (kind, outcome),
        (EventKind::Call | EventKind::Decision | EventKind::Authentication, Outcome::Success)
            | (EventKind::Call, Outcome::Cancelled | Outcome::Pending)
            | (EventKind::Configuration, Outcome::Success)
    )
}
