//! The calls of one client that are in flight, so that it can cancel them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use foldhash::fast::RandomState;
use futures_util::task::AtomicWaker;
use omni_types::{Fault, FaultKind};

/// Calls by the JSON text of their id.
#[derive(Debug, Default)]
pub struct Calls(Mutex<HashMap<Box<str>, Arc<Cancel>, RandomState>>);

/// Tells a call that its client does not want it any more.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    set: AtomicBool,
    /// Whoever waits for it: the call's one task.
    waiting: AtomicWaker,
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
            cancel.waiting.wake();
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
        std::future::poll_fn(|cx| {
            self.cancel.waiting.register(cx.waker());
            if self.cancel.set.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
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
