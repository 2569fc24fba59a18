//! Open channels of the HTTP+SSE transport: which session URI leads to which conversation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use omni_hub::{Identified, Scope};
use omni_types::Principal;
use tokio::sync::mpsc;

/// Channels by the secret part of their URI. Each lives with a connection, so connections bound them.
#[derive(Debug, Default)]
pub(crate) struct Channels(Arc<Mutex<HashMap<Arc<str>, Inbox>>>);

/// Where a channel's messages go in.
#[derive(Debug, Clone)]
struct Inbox {
    scope: Scope,
    /// Whose it is; nobody else finds it.
    principal: Principal,
    messages: mpsc::Sender<Message>,
}

/// A message, and who sent it.
pub(crate) type Message = (Bytes, Identified);

/// A channel's place in the table; it leaves when this is dropped.
pub(crate) struct Place {
    channels: Arc<Mutex<HashMap<Arc<str>, Inbox>>>,
    id: Arc<str>,
}

impl Channels {
    /// Adds a channel.
    pub(crate) fn add(
        &self,
        id: Arc<str>,
        scope: Scope,
        principal: Principal,
        messages: mpsc::Sender<Message>,
    ) -> Place {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(Arc::clone(&id), Inbox { scope, principal, messages });
        Place { channels: Arc::clone(&self.0), id }
    }

    /// Where messages of `principal` for the channel `id` of this endpoint go in; one of another endpoint, or of somebody
    /// else, is none.
    pub(crate) fn find(&self, id: &str, scope: &Scope, principal: &Principal) -> Option<mpsc::Sender<Message>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id)
            .filter(|inbox| inbox.scope == *scope && inbox.principal == *principal)
            .map(|inbox| inbox.messages.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
