//! The audit log, written without the values of secrets.

use std::sync::Arc;

use omni_audit::{Audit, Condition, Event, EventKind, FieldValue, LogKey, Outcome, Recording, Sink, Who};
use omni_secrets::Redactor;

/// The audit log, whose texts hold no value that was given out.
struct Masked {
    audit: Audit,
    redactor: Arc<Redactor>,
}

/// `audit` with the values masked that `redactor` knows.
pub(crate) fn masked(audit: Audit, redactor: Arc<Redactor>) -> Audit {
    Audit::to(Masked { audit, redactor })
}

impl Masked {
    fn without(&self, mut event: Event) -> Event {
        let mask = |text: &mut String| {
            if let Some(masked) = self.redactor.masked(text) {
                *text = masked;
            }
        };
        event.reason.iter_mut().for_each(mask);
        event.resource.iter_mut().for_each(|resource| mask(&mut resource.name));
        for (_, value) in &mut event.facts {
            match value {
                FieldValue::Text(text) => mask(text),
                FieldValue::List(texts) => texts.iter_mut().for_each(mask),
                FieldValue::Number(_) | FieldValue::Digest(_) => {}
            }
        }
        event
    }
}

impl Sink for Masked {
    fn record(&self, who: Who, event: Event) {
        self.audit.record(who, self.without(event));
    }

    fn record_durably(&self, who: Who, event: Event) -> Recording {
        self.audit.record_durably(who, self.without(event))
    }

    fn keeps(&self, kind: EventKind, outcome: Outcome) -> bool {
        self.audit.keeps(kind, outcome)
    }

    fn is_strict(&self) -> bool {
        self.audit.is_strict()
    }

    fn keeps_arguments(&self) -> bool {
        self.audit.keeps_arguments()
    }

    fn condition(&self) -> Option<Condition> {
        self.audit.condition()
    }

    fn rotate_key(&self, which: LogKey) -> Result<Option<String>, String> {
        self.audit.rotate_key(which)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use omni_audit::{Audit, Event, EventKind, FieldName, Outcome, Sink, Who};
    use omni_secrets::{Held, Redactor};

    use super::masked;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<Event>>>);

    impl Sink for Kept {
        fn record(&self, _: Who, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    #[test]
    fn sec_5_no_value_is_written_down() {
        let (kept, redactor) = (Kept::default(), Arc::new(Redactor::default()));
        redactor.learn("db", &Held::new("hunter2-hunter2".to_owned())).unwrap();
        let audit = masked(Audit::to(kept.clone()), redactor);
        let event = Event::new(EventKind::Call, "tools/call", Outcome::Failed)
            .on(None, "tool hunter2-hunter2")
            .because("it said hunter2-hunter2")
            .fact(FieldName::Arguments, r#"{"a":"hunter2-hunter2"}"#)
            .fact(FieldName::Policies, vec!["hunter2-hunter2".to_owned()]);
        audit.record(Who::System, event);
        let shown = format!("{:?}", kept.0.lock().unwrap());
        assert!(!shown.contains("hunter2") && shown.matches("[secret db masked]").count() == 4, "{shown}");
    }
}
