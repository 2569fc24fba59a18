//! What all clients of a soak came to, and what befell the servers.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What went wrong is kept up to this many; the rest is counted.
const WRONG_MAX: usize = 40;
/// Of JSON-RPC.
const INVALID_REQUEST: i64 = -32_600;

/// What all clients came to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    answered: AtomicU64,
    refused: AtomicU64,
    counts: Mutex<BTreeMap<String, u64>>,
    wrong: Mutex<(Vec<String>, u64)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sum {
    pub(super) fn both(&self) -> (u64, u64) {
        (self.answered.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// A call came to its end: with a result, or with an error that says why.
    pub(super) fn ended(&self, what: &str, answer: &str) {
        if answer.contains("\"result\"") {
            self.answered.fetch_add(1, Ordering::Relaxed);
        } else if answer.contains("\"error\"") {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let error = serde_json::from_str::<Value>(answer).unwrap_or_default();
            let error = &error["error"];
            // Few, and each a surprise: their words are worth more than their number.
            let words = if error["code"] == INVALID_REQUEST { error["message"].to_string() } else { String::new() };
            self.count(&format!("refused with {} {words}", error["code"]));
        } else {
            self.broke(format!("{what} is answered {answer:?}"));
        }
    }

    /// An endpoint or a session was refused.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.count("refused at the door");
    }

    /// Something that is worth a count of its own: a fault, a stream taken up again.
    pub(super) fn count(&self, what: &str) {
        *lock(&self.counts).entry(what.to_owned()).or_default() += 1;
    }

    /// All that was counted, one a line.
    pub(super) fn counts(&self) -> String {
        lock(&self.counts).iter().map(|(what, count)| format!("  {what:<48}{count:>8}\n")).collect()
    }

    pub(super) fn broke(&self, what: String) {
        let mut wrong = lock(&self.wrong);
        wrong.1 += 1;
        if wrong.0.len() < WRONG_MAX {
            wrong.0.push(what);
        }
    }

    pub(super) fn wrong(&self) -> Vec<String> {
        let (mut told, count) = lock(&self.wrong).clone();
        if count > told.len() as u64 {
            told.push(format!("... {count} in all"));
        }
        told
    }
}
