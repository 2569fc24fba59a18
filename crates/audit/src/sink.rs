//! Where events go.

use crate::event::{Event, EventKind, Outcome};
use crate::who::Who;

/// Where events go. Recording never waits and never fails towards who records.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn record(&self, who: Who, event: Event);

    /// Whether events of this kind and outcome are kept at all, so that nobody makes one for nothing.
    fn keeps(&self, kind: EventKind, outcome: Outcome) -> bool {
        let _every_one = (kind, outcome);
        true
    }
}
