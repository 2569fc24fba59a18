//! Messages to a client that belong to none of its calls, waiting for its stream.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Messages that wait; the oldest gives way.
const MESSAGES_MAX: usize = 256;
/// Their bytes.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// A bounded queue that forgets the oldest and never holds the same message twice in a row.
#[derive(Debug, Default)]
pub struct Outbox {
    messages: Mutex<VecDeque<Bytes>>,
    arrived: Notify,
}

impl Outbox {
    /// Adds `message`. One that waits already is not added again: "the list changed" says the same twice.
    pub fn push(&self, message: Bytes) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.contains(&message) {
            return;
        }
        let mut bytes: usize = messages.iter().map(Bytes::len).sum::<usize>() + message.len();
        while messages.len() >= MESSAGES_MAX || (bytes > BYTES_MAX && !messages.is_empty()) {
            bytes -= messages.pop_front().map_or(0, |oldest| oldest.len());
        }
        // A copy of its own: a piece of a large read would keep the whole of it.
        messages.push_back(Bytes::copy_from_slice(&message));
        drop(messages);
        self.arrived.notify_one();
    }

    /// Waits for the next message.
    pub async fn next(&self) -> Bytes {
        loop {
            let message = self.messages.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match message {
                Some(message) => return message,
                None => self.arrived.notified().await,
            }
        }
    }
}
