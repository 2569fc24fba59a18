//! What a pool keeps, and the right to use one connection of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

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
    pub(crate) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The one last used stands at the back, so that the front falls idle.
    pub(crate) idle: VecDeque<(http1::SendRequest<Full<Bytes>>, Instant)>,
    pub(crate) http2: Option<http2::SendRequest<Full<Bytes>>>,
    pub(crate) warmed: bool,
}

/// The right to use a connection, given back when the answer has been read.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sender: Option<http1::SendRequest<Full<Bytes>>>,
    pub(crate) _slot: Option<OwnedSemaphorePermit>,
}

impl Lease {
    pub(crate) fn give_back(mut self) {
        let Some(sender) = self.sender.take() else { return };
        if sender.is_closed() {
            return;
        }
        self.shared.lock().idle.push_back((sender, Instant::now()));
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while the lock was held cannot leave the lists half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take_idle(&self) -> Option<http1::SendRequest<Full<Bytes>>> {
        let mut state = self.lock();
        while let Some((sender, since)) = state.idle.pop_back() {
            if !sender.is_closed() && since.elapsed() < self.limits.idle_timeout {
                return Some(sender);
            }
        }
        None
    }
}
