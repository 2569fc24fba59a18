//! What is counted of the cache (rows MET-4, TRB-1).

use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Serialize;

/// What was counted since the hub started, and what is kept now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CacheFigures")]
pub struct Figures {
    /// Times that something was looked for and found, and was to be given as it was.
    pub hits: u64,
    /// Times that it was not.
    pub misses: u64,
    /// Times that something past its time stood in for what could not be had.
    pub stale: u64,
    /// Times that one waited for what another was already asking for.
    pub shared: u64,
    /// Things that were kept.
    pub kept: u64,
    /// Things that were not kept: too large, or wrong before they were there.
    pub refused: u64,
    /// Things that were declared wrong.
    pub forgotten: u64,
    /// Things kept now.
    pub entries: u64,
    /// Bytes that these take.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) stale: AtomicU64,
    pub(crate) shared: AtomicU64,
    pub(crate) kept: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) forgotten: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Counts {
    pub(crate) fn now(&self, entries: u64, bytes: u64) -> Figures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            hits: of(&self.hits),
            misses: of(&self.misses),
            stale: of(&self.stale),
            shared: of(&self.shared),
            kept: of(&self.kept),
            refused: of(&self.refused),
            forgotten: of(&self.forgotten),
            entries,
            bytes,
        }
    }
}
