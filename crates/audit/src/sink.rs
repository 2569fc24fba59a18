//! Where events go.

use std::pin::Pin;

use crate::event::Event;
use crate::kind::{EventKind, Outcome};
use crate::who::Who;

/// Ready when a record is durable, or will not be.
pub type Recording = Pin<Box<dyn Future<Output = Result<(), NotRecorded>> + Send>>;

/// Why a record was not made durable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// Its queue is full: more happens than the disk takes.
    #[error("the audit log's queue is full: the disk does not keep up")]
    Full,
    /// The disk, or what stands before it, failed.
    #[error("the audit log cannot be written: {0}")]
    Failed(String),
    /// It was closed: the hub stops.
    #[error("the audit log is closed")]
    Closed,
}

/// The keys of a log that can be given new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKey {
    /// The key that signs checkpoints. The one before vouches for it in a record.
    Signing,
    /// The key that wraps the data keys.
    Encryption,
}

/// How a log does, for whoever watches over the hub.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// What an answer waits for.
    pub mode: &'static str,
    /// Why it cannot be written, where it cannot.
    pub failing: Option<String>,
    /// Records that are durable.
    pub records: u64,
    /// Events that wait to be written.
    pub waiting: u64,
    /// Events that were not recorded since it was opened.
    pub shed: u64,
}

/// Where events go. [`Sink::record`] never waits and never fails towards who records.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn record(&self, who: Who, event: Event);

    /// Whether events of this kind and outcome are kept at all, so that nobody makes one for nothing.
    fn keeps(&self, kind: EventKind, outcome: Outcome) -> bool {
        let _every_one = (kind, outcome);
        true
    }

    /// Whether nothing may be done before its record is durable.
    fn is_strict(&self) -> bool {
        false
    }

    /// Whether the operator wants arguments in clear.
    fn keeps_arguments(&self) -> bool {
        false
    }

    /// How it does; `None` for one that keeps nothing durably.
    fn condition(&self) -> Option<Condition> {
        None
    }

    /// Gives the log a new key, and the public one back where it has one. What was written stays readable. It blocks.
    ///
    /// # Errors
    /// Where there is no lasting log, or its keys cannot be written: why, for the operator.
    fn rotate_key(&self, which: LogKey) -> Result<Option<String>, String> {
        let _neither = which;
        Err("this hub has no lasting audit log".to_owned())
    }

    /// Takes one event; what it returns is ready when that is durable. A sink that keeps nothing durably is ready at once.
    fn record_durably(&self, who: Who, event: Event) -> Recording {
        self.record(who, event);
        Box::pin(std::future::ready(Ok(())))
    }
}
