//! What happened: calls as servers saw them, connections that are open, and everything that was not as it must be.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// How a server saw one call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// How often it was asked for.
    pub(crate) times: u32,
    /// The answer was written.
    pub(crate) answered: bool,
    /// It came on a session of an earlier revision.
    pub(crate) legacy: bool,
    /// Its connection ended before the answer.
    pub(crate) let_go: bool,
    /// It was cancelled by `notifications/cancelled`.
    pub(crate) cancelled: bool,
}

#[derive(Debug)]
struct Pages {
    calls: BTreeMap<u64, Seen>,
    connections: usize,
    next_call: u64,
    wrong: Vec<String>,
    digest: DefaultHasher,
    events: u64,
    began: Instant,
}

/// The book; its clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Book(Arc<Mutex<Pages>>);

/// One open connection, at the hub's end: the other one may never hear of it.
#[derive(Debug)]
pub(crate) struct OpenConnection(Book);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.lock().connections -= 1;
    }
}

impl Book {
    pub(crate) fn new() -> Self {
        let pages = Pages {
            calls: BTreeMap::new(),
            connections: 0,
            next_call: 1,
            wrong: Vec::new(),
            digest: DefaultHasher::new(),
            events: 0,
            began: Instant::now(),
        };
        Self(Arc::new(Mutex::new(pages)))
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened; what and when is part of the digest by which two lives of one seed are compared.
    pub(crate) fn note(&self, what: &str) {
        let mut pages = self.lock();
        let at = pages.began.elapsed();
        (at.as_millis(), what).hash(&mut pages.digest);
        pages.events += 1;
        if std::env::var_os("OMNI_SIMULATION_TRACE").is_some() {
            eprintln!("{:>9.3} {what}", at.as_secs_f64());
        }
    }

    /// Something is not as it must be.
    pub(crate) fn wrong(&self, what: String) {
        self.note(&what);
        let mut pages = self.lock();
        let at = pages.began.elapsed().as_secs_f64();
        pages.wrong.push(format!("after {at:.3} s: {what}"));
    }

    pub(crate) fn opened(&self) -> OpenConnection {
        self.lock().connections += 1;
        OpenConnection(self.clone())
    }

    pub(crate) fn connections(&self) -> usize {
        self.lock().connections
    }

    /// A number for a new call.
    pub(crate) fn new_call(&self) -> u64 {
        let mut pages = self.lock();
        pages.next_call += 1;
        pages.next_call
    }

    /// A server was asked for `call`.
    pub(crate) fn asked(&self, call: u64, legacy: bool) {
        let mut pages = self.lock();
        let seen = pages.calls.entry(call).or_default();
        seen.times += 1;
        seen.legacy = legacy;
    }

    pub(crate) fn cancelled(&self, call: u64) {
        self.lock().calls.entry(call).or_default().cancelled = true;
    }

    pub(crate) fn answered(&self, call: u64) {
        self.lock().calls.entry(call).or_default().answered = true;
    }

    pub(crate) fn let_go(&self, call: u64) {
        self.lock().calls.entry(call).or_default().let_go = true;
    }

    /// How servers saw `call`; `None` when none did.
    pub(crate) fn seen(&self, call: u64) -> Option<Seen> {
        self.lock().calls.get(&call).copied()
    }

    /// Calls that were asked for more than once.
    pub(crate) fn repeated(&self) -> Vec<u64> {
        self.lock().calls.iter().filter(|(_, seen)| seen.times > 1).map(|(call, _)| *call).collect()
    }

    pub(crate) fn close(&self) -> (Vec<String>, u64, u64) {
        let pages = self.lock();
        (pages.wrong.clone(), pages.digest.finish(), pages.events)
    }
}
