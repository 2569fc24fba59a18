//! What a pool keeps, and the right to use one connection of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::http1::Http1;
use crate::target::Target;

/// Bounds of a pool. `initial <= size <= max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Opened at first use.
    pub initial: usize,
    /// Working size: what is above it is closed when it has been idle for some seconds.
    pub size: usize,
    /// Never more than this many; further requests wait.
    pub max: usize,
    /// For a request to wait for its turn, and for the connection to come about.
    pub connect_timeout: Duration,
    /// After which an idle connection is closed.
    pub idle_timeout: Duration,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) target: Target,
    pub(crate) limits: PoolLimits,
    pub(crate) slots: Arc<Semaphore>,
    /// For short messages that find no slot free, each on a connection of its own.
    pub(crate) asides: Arc<Semaphore>,
    pub(crate) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The one last used stands at the back, so that the front falls idle.
    pub(crate) idle: VecDeque<(Http1, Instant)>,
    pub(crate) http2: Option<http2::SendRequest<Full<Bytes>>>,
    pub(crate) warmed: bool,
}

/// The right to have one connection in use.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) permit: OwnedSemaphorePermit,
    /// Whether it is one of the pool's, so that its connection may be kept.
    pub(crate) pooled: bool,
}

/// The right to use a connection of a pool, given back when the answer has been read.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slot: OwnedSemaphorePermit,
    /// Whether the connection may be used again after this answer.
    pub(crate) keeps: bool,
}

impl Lease {
    /// Puts the connection, whose answer has been read to its end, back for the next request, or closes it.
    pub(crate) fn give_back(self, connection: Http1) {
        let Self { shared, slot, keeps } = self;
        if keeps {
            shared.lock().idle.push_back((connection, Instant::now()));
        }
        // Whoever waits for its turn finds the connection there.
        drop(slot);
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while the lock was held cannot leave the lists half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take_idle(&self) -> Option<Http1> {
        loop {
            let (mut connection, since) = self.lock().idle.pop_back()?;
            if since.elapsed() < self.limits.idle_timeout && connection.is_quiet() {
                return Some(connection);
            }
        }
    }
}
