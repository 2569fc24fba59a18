//! The lives of a server: its connections break when one ends, in the order in which they were made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// How often a server went down. Those that wait for the next time are woken in turn: a `watch` would wake them by chance.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    ended: AtomicU64,
    again: Notify,
}

impl Lives {
    /// It goes down.
    pub(crate) fn end_one(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.again.notify_waiters();
    }

    /// Returns when it goes down the next time, counted from this call and not from the first poll.
    pub(crate) fn end(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let (lives, now) = (Arc::clone(self), self.ended.load(Ordering::Relaxed));
        async move {
            while lives.ended.load(Ordering::Relaxed) == now {
                let mut again = std::pin::pin!(lives.again.notified());
                again.as_mut().enable();
                if lives.ended.load(Ordering::Relaxed) == now {
                    again.await;
                }
            }
        }
    }
}
