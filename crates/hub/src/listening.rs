//! An open `subscriptions/listen`: what happened since the client heard last.

use std::collections::VecDeque;

use bytes::Bytes;
use omni_protocol::{ListKind, meta_keys, notification, response};
use omni_proxy::Event;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::scope::Scope;

/// An open subscription.
#[derive(Debug)]
pub struct ListenStream {
    pub(crate) id: String,
    pub(crate) scope: Scope,
    pub(crate) kinds: Vec<ListKind>,
    pub(crate) events: broadcast::Receiver<Event>,
    pub(crate) ready: VecDeque<Bytes>,
    pub(crate) ended: bool,
}

impl ListenStream {
    /// JSON text of the id of the request that opened it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The next message; `None` after the last.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            if self.ended {
                return None;
            }
            match self.events.recv().await {
                Ok(Event::ListChanged { server, kind }) => {
                    let shown = match &self.scope {
                        Scope::All => true,
                        Scope::One(name) => *name == server,
                    };
                    if shown && self.kinds.contains(&kind) {
                        self.ready.push_back(self.changed(kind));
                    }
                }
                // Where something was missed it may have been any of them.
                Ok(Event::Replaced) | Err(RecvError::Lagged(_)) => {
                    self.ready = self.kinds.iter().map(|kind| self.changed(*kind)).collect()
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The answer that ends it in good order (subscriptions of 2026-07-28, "Graceful Closure").
    pub fn close(&mut self) -> Bytes {
        self.ended = true;
        let result = format!(r#"{{"resultType":"complete","_meta":{{"{}":{}}}}}"#, meta_keys::SUBSCRIPTION_ID, self.id);
        response(&self.id, &result).into()
    }

    fn changed(&self, kind: ListKind) -> Bytes {
        let params = format!(r#"{{"_meta":{{"{}":{}}}}}"#, meta_keys::SUBSCRIPTION_ID, self.id);
        notification(kind.changed(), Some(&params)).into()
    }
}
