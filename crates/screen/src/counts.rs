//! How often something out of the ordinary was seen (row SMET-3). Counted where it happens, which is seldom.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What was seen since the hub started.
#[derive(Debug, Default)]
pub struct Counts {
    requests: AtomicU64,
    answers: AtomicU64,
    characters: AtomicU64,
    detected: AtomicU64,
    errors: AtomicU64,
}

/// The same at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Requests that were refused because of what they held.
    pub requests_refused: u64,
    /// Answers that were withheld.
    pub answers_withheld: u64,
    /// Dangerous characters, also those that pass by rule.
    pub dangerous_characters: u64,
    /// Personal data, card numbers and keys in answers, also those that are only counted.
    pub data_detected: u64,
    /// Errors that were filtered.
    pub errors_filtered: u64,
}

/// Something out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// A request was refused because of what it held.
    Request,
    /// An answer was withheld.
    Answer,
    /// A dangerous character.
    Character,
    /// Personal data, a card number, a key.
    Detected,
    /// An error that was filtered.
    Error,
}

impl Counts {
    /// Counts one.
    pub fn count(&self, odd: Odd) {
        let counter = match odd {
            Odd::Request => &self.requests,
            Odd::Answer => &self.answers,
            Odd::Character => &self.characters,
            Odd::Detected => &self.detected,
            Odd::Error => &self.errors,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted.
    #[must_use]
    pub fn now(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            requests_refused: read(&self.requests),
            answers_withheld: read(&self.answers),
            dangerous_characters: read(&self.characters),
            data_detected: read(&self.detected),
            errors_filtered: read(&self.errors),
        }
    }
}
