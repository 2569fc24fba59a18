//! A bulkhead: how many calls one server may hold, so that its slowness fills its own places and nobody else's (EMG-1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::LinkError;
use crate::resilience::BulkheadLimits;

/// The places of one server.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    limits: BulkheadLimits,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A call's place at its server; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// Counts one that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Bulkhead {
    pub(crate) fn new(limits: BulkheadLimits) -> Self {
        Self { limits, places: Arc::new(Semaphore::new(limits.calls_max)), waiting: AtomicUsize::new(0) }
    }

    /// A place, at once or after a wait of bounded length in a queue of bounded length.
    pub(crate) async fn enter(&self) -> Result<Place, LinkError> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Place { _permit: permit });
        }
        // The wait is rare and its future large: boxed, it does not weigh on every call.
        Box::pin(self.wait()).await
    }

    async fn wait(&self) -> Result<Place, LinkError> {
        if self.places.is_closed() {
            return Err(LinkError::Stopped);
        }
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _counted = Waiting(&self.waiting);
        let full = |seconds| LinkError::Full { calls: self.limits.calls_max, waiting: before, seconds };
        if before >= self.limits.waiting_max {
            return Err(full(0));
        }
        match tokio::time::timeout(self.limits.wait, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit }),
            Ok(Err(_closed)) => Err(LinkError::Stopped),
            Err(_) => Err(full(self.limits.wait.as_secs())),
        }
    }

    /// Whether the next one need not wait.
    pub(crate) fn is_free(&self) -> bool {
        self.places.available_permits() > 0
    }

    /// Nobody enters any more; who waits is told.
    pub(crate) fn close(&self) {
        self.places.close();
    }

    /// Calls that hold a place.
    pub(crate) fn in_use(&self) -> usize {
        self.limits.calls_max.saturating_sub(self.places.available_permits())
    }

    /// Calls that wait for one.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::Bulkhead;
    use crate::error::LinkError;
    use crate::resilience::BulkheadLimits;

    fn bulkhead(wait: Duration) -> Bulkhead {
        Bulkhead::new(BulkheadLimits { calls_max: 1, waiting_max: 1, wait })
    }

    #[tokio::test]
    async fn emg_1_who_finds_it_full_waits_in_a_bounded_queue_for_a_bounded_time() {
        let bulkhead = bulkhead(Duration::from_secs(1));
        let first = bulkhead.enter().await.unwrap();
        let (second, third) = tokio::join!(bulkhead.enter(), bulkhead.enter());
        assert_eq!(second.unwrap_err(), LinkError::Full { calls: 1, waiting: 0, seconds: 1 });
        assert_eq!(third.unwrap_err(), LinkError::Full { calls: 1, waiting: 1, seconds: 0 });
        assert_eq!((bulkhead.in_use(), bulkhead.waiting()), (1, 0));
        let (next, ()) = tokio::join!(bulkhead.enter(), async { drop(first) });
        drop(next.unwrap());
        assert_eq!(bulkhead.in_use(), 0);
    }

    #[tokio::test]
    async fn emg_1_who_waits_at_a_server_that_is_stopped_is_told() {
        let bulkhead = bulkhead(Duration::from_secs(60));
        let _first = bulkhead.enter().await.unwrap();
        let (waiting, ()) = tokio::join!(bulkhead.enter(), async { bulkhead.close() });
        assert_eq!(waiting.unwrap_err(), LinkError::Stopped);
        assert_eq!(bulkhead.enter().await.unwrap_err(), LinkError::Stopped);
    }
}
