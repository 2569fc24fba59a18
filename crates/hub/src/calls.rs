//! The calls of one client that are in flight, so that it can cancel them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use omni_types::{Fault, FaultKind};
use tokio::sync::Notify;

/// Calls by the JSON text of their id.
#[derive(Debug, Default)]
pub struct Calls(Mutex<HashMap<Box<str>, Arc<Cancel>>>);

/// Tells a call that its client does not want it any more.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    set: AtomicBool,
    told: Notify,
}

/// A call in the table; it leaves when this is dropped.
#[derive(Debug)]
pub struct Booked {
    calls: Arc<Calls>,
    id: Box<str>,
    cancel: Arc<Cancel>,
}

impl Calls {
    /// Books the call `id`.
    #[must_use]
    pub fn book(self: &Arc<Self>, id: &str) -> Booked {
        let cancel = Arc::<Cancel>::default();
        let id: Box<str> = id.into();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), Arc::clone(&cancel));
        Booked { calls: Arc::clone(self), id, cancel }
    }

    /// Cancels the call `id`; `false` when there is none.
    pub fn cancel(&self, id: &str) -> bool {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(cancel) = &found {
            cancel.set.store(true, Ordering::Release);
            cancel.told.notify_one();
        }
        found.is_some()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Booked {
    /// Returns when the client cancels the call.
    pub async fn cancelled(&self) {
        while !self.cancel.set.load(Ordering::Acquire) {
            self.cancel.told.notified().await;
        }
    }
}

impl Drop for Booked {
    fn drop(&mut self) {
        let mut calls = self.calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A client that uses an id again has booked over this one.
        if calls.get(&self.id).is_some_and(|cancel| Arc::ptr_eq(cancel, &self.cancel)) {
            calls.remove(&self.id);
        }
    }
}

/// Does `work` unless the client cancels the call before.
pub(crate) async fn unless_cancelled<T>(
    booked: Option<&Booked>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let Some(booked) = booked else { return work.await };
    tokio::select! {
        // A call that was cancelled before it was sent is not sent.
        biased;
        () = booked.cancelled() => Err(Fault::new(FaultKind::Cancelled, "the client cancelled the call")),
        done = work => done,
    }
}
