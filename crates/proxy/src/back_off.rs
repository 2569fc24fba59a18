//! How long a server that keeps failing is left alone.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::LinkError;

/// After the first failure.
const FIRST: Duration = Duration::from_millis(500);
/// At most.
const LONGEST: Duration = Duration::from_secs(30);
/// A call waits this long for the next attempt before it is told no.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Failures in a row, and when the next attempt may be made.
#[derive(Debug, Default)]
pub(crate) struct BackOff(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    until: Option<Instant>,
    why: Option<LinkError>,
}

impl BackOff {
    /// A start or a conversation failed.
    pub(crate) fn failed(&self, why: &LinkError) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let wait = FIRST.saturating_mul(1 << (state.failures - 1).min(8)).min(LONGEST);
        state.until = Some(Instant::now() + wait);
        state.why = Some(why.clone());
    }

    /// It works again.
    pub(crate) fn succeeded(&self) {
        *self.lock() = State::default();
    }

    /// How long to wait before the next attempt; nothing when it may be made now.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let until = self.lock().until?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The last failure, with how often and how long.
    pub(crate) fn error(&self) -> Option<LinkError> {
        let state = self.lock();
        let left = state.until?.saturating_duration_since(Instant::now());
        let why = state.why.as_ref()?;
        Some(LinkError::BackingOff {
            failures: state.failures,
            seconds: left.as_secs_f64().ceil() as u64,
            why: why.to_string(),
        })
    }

    /// The last failure alone.
    pub(crate) fn last(&self) -> Option<LinkError> {
        self.lock().why.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::BackOff;
    use crate::error::LinkError;

    #[test]
    fn it_grows_is_bounded_and_ends() {
        let back_off = BackOff::default();
        assert_eq!(back_off.wait(), None);
        back_off.failed(&LinkError::Stopped);
        let first = back_off.wait();
        for _ in 0..40 {
            back_off.failed(&LinkError::Stopped);
        }
        let last = back_off.wait();
        assert!(first < last && last.is_some_and(|l| l.as_secs() <= 30));
        back_off.succeeded();
        assert_eq!((back_off.wait(), back_off.last()), (None, None));
    }
}
