//! Where the messages of one call on a shared channel arrive.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use omni_protocol::Message;
use tokio::sync::Notify;

use crate::error::LinkError;

/// Notifications that may wait for a slow client; further ones are dropped, answers never are.
const NOTIFICATIONS_MAX: usize = 256;
/// Their bytes.
const NOTIFICATION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Messages of one call, in their order.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    overflowed: bool,
    end: Option<LinkError>,
}

impl Inbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Adds a notification or request; `false` when the inbox is full and it was dropped.
    pub(crate) fn push(&self, message: Message) -> bool {
        let mut state = self.lock();
        let bytes: usize = state.messages.iter().map(|waiting| waiting.bytes().len()).sum();
        let too_many_bytes = bytes > 0 && bytes + message.bytes().len() > NOTIFICATION_BYTES_MAX;
        if state.messages.len() >= NOTIFICATIONS_MAX || too_many_bytes {
            state.overflowed = true;
            return false;
        }
        state.messages.push_back(message);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// Adds the answer.
    pub(crate) fn answer(&self, message: Message) {
        self.lock().messages.push_back(message);
        self.arrived.notify_one();
    }

    /// Whether something was dropped since this was asked last.
    pub(crate) fn overflowed(&self) -> bool {
        std::mem::take(&mut self.lock().overflowed)
    }

    /// Nothing more will come.
    pub(crate) fn close(&self, why: LinkError) {
        self.lock().end.get_or_insert(why);
        self.arrived.notify_one();
    }

    /// The next message.
    pub(crate) async fn next(&self) -> Result<Message, LinkError> {
        loop {
            {
                let mut state = self.lock();
                if let Some(message) = state.messages.pop_front() {
                    return Ok(message);
                }
                if let Some(end) = &state.end {
                    return Err(end.clone());
                }
            }
            // One permit is kept for a notify that comes before this wait.
            self.arrived.notified().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
