//! What the clients of one thread share.

use crate::soak::hub::Hub;
use crate::soak::sum::Sum;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the clients of one thread share.
pub(super) struct Road<'a> {
    pub(super) hub: &'a Hub,
    pub(super) sum: &'a Sum,
    pub(super) stop: &'a AtomicBool,
}

impl Road<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sleeps, but not past the end.
    pub(super) fn nap(&self, time: Duration) {
        let until = std::time::Instant::now() + time;
        while std::time::Instant::now() < until && !self.is_over() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
