//! The time by which entries age: it goes on when the system's clock is put back, and stands still in a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Milliseconds since the cache was made.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Running(Instant),
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// The clock of the machine.
    #[must_use]
    pub fn running() -> Self {
        Self(Source::Running(Instant::now()))
    }

    /// A clock that goes on when it is told to.
    #[must_use]
    pub fn set() -> Self {
        Self(Source::Set(Arc::default()))
    }

    /// Goes on by `by`. The machine's own clock does not listen.
    pub fn go_on(&self, by: Duration) {
        if let Source::Set(now) = &self.0 {
            now.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// What it shows.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match &self.0 {
            Source::Running(since) => u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            Source::Set(now) => now.load(Ordering::Relaxed),
        }
    }
}
