//! The calls in flight on a channel, known to its two sides: who asks and who reads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use omni_protocol::{Message, Method};

use crate::error::LinkError;
use crate::inbox::Inbox;
use crate::let_go::LetGo;
use crate::watch_channel;

/// What a server says that belongs to no call.
pub(crate) type Unasked = Box<dyn Fn(Message) + Send + Sync>;
/// A message in line, and the call it begins, if it does.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) message: Bytes,
    pub(crate) call: Option<u64>,
}

/// What both sides of a channel know.
pub(crate) struct Shared {
    pub(crate) calls: Mutex<Calls>,
    pub(crate) alive: AtomicBool,
    /// Messages that came, of whatever kind.
    pub(crate) heard: AtomicU64,
    pub(crate) unasked: OnceLock<Unasked>,
    /// Set when the channel is to be let go: a write that nobody reads must not hold it open.
    pub(crate) closing: watch_channel::Sender<bool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("alive", &self.alive).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) open: HashMap<u64, Call>,
    /// What was let go without an answer.
    pub(crate) let_go: LetGo,
    pub(crate) end: Option<LinkError>,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) method: Method,
    pub(crate) progress_token: Option<String>,
}

impl Call {
    /// Whether the hub itself asks: for the lists and subscriptions that clients share. Such a call is no client's.
    pub(crate) const fn is_hubs_own(&self) -> bool {
        matches!(
            self.method,
            Method::Initialize
                | Method::Discover
                | Method::List(_)
                | Method::Listen
                | Method::ResourcesSubscribe
                | Method::ResourcesUnsubscribe
        )
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn end(&self, why: &LinkError) {
        self.alive.store(false, Ordering::Release);
        self.closing.send_replace(true);
        let mut calls = self.lock();
        calls.end.get_or_insert_with(|| why.clone());
        for (_, call) in calls.open.drain() {
            call.inbox.close(why.clone());
        }
    }
}
