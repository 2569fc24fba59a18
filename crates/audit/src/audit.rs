//! The handle that everybody writes with.

use std::fmt;
use std::sync::Arc;

use crate::event::Event;
use crate::kind::{EventKind, Outcome};
use crate::log::HubLog;
use crate::sink::{Condition, LogKey, Recording, Sink};
use crate::who::Who;

/// The handle that everybody writes with; a clone costs one counter.
#[derive(Clone)]
pub struct Audit(Arc<dyn Sink>);

impl Audit {
    /// Writes to `sink`.
    pub fn to(sink: impl Sink + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Writes lines of the hub's log, target `audit`: `info`, and `debug` for calls that went well.
    #[must_use]
    pub fn to_log() -> Self {
        Self::to(HubLog)
    }

    /// Writes `event` down on the account of `who`.
    pub fn record(&self, who: Who, event: Event) {
        self.0.record(who, event);
    }

    /// Writes `event` down on the account of `who`; what it returns is ready when that is durable.
    #[must_use]
    pub fn record_durably(&self, who: Who, event: Event) -> Recording {
        self.0.record_durably(who, event)
    }

    /// Whether nothing may be done before its record is durable.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.0.is_strict()
    }

    /// Whether the operator wants arguments in clear.
    #[must_use]
    pub fn keeps_arguments(&self) -> bool {
        self.0.keeps_arguments()
    }

    /// How the lasting log does, where there is one.
    #[must_use]
    pub fn condition(&self) -> Option<Condition> {
        self.0.condition()
    }

    /// Gives the log a new key, and the public one back where it has one. It blocks.
    ///
    /// # Errors
    /// Where there is no lasting log, or its keys cannot be written: why, for the operator.
    pub fn rotate_key(&self, which: LogKey) -> Result<Option<String>, String> {
        self.0.rotate_key(which)
    }

    /// Whether such events are kept. Ask before making a costly one.
    #[must_use]
    pub fn keeps(&self, kind: EventKind, outcome: Outcome) -> bool {
        self.0.keeps(kind, outcome)
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Audit")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use omni_types::{Principal, ServerName};

    use super::Audit;
    use crate::{Event, EventKind, FieldName, Outcome, Sink, Who};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<(Who, Event)>>>);

    impl Sink for Kept {
        fn record(&self, who: Who, event: Event) {
            self.0.lock().unwrap().push((who, event));
        }
    }

    #[test]
    fn tool_6_an_event_arrives_as_it_was_recorded() {
        let kept = Kept::default();
        let audit = Audit::to(kept.clone());
        let who = Who::from(&Principal::local("ann"));
        let event = Event::new(EventKind::Call, "tools/call", Outcome::Denied)
            .on(ServerName::parse("git").ok().as_ref(), "git_commit")
            .because("policy.deny")
            .fact(FieldName::Policies, vec!["p1".to_owned()]);
        audit.record(who.clone(), event.clone());
        assert_eq!(*kept.0.lock().unwrap(), vec![(who, event)]);
    }
}
