//! What a server says on a channel, given to the calls it belongs to.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use omni_protocol::{
    BatchError, ErrorCode, Message, MessageKind, Method, Splice, error_response, is_batch, members, meta_keys,
    response, split_batch,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::calls::{Queued, Shared};
use crate::error::LinkError;
use crate::inbox::Inbox;
use crate::ration::units;

/// Messages of one batch (revision 2025-03-26).
pub(crate) const BATCH_MAX: usize = 1_000;
/// Bytes of the id of a request of the server's.
const SERVER_ID_BYTES_MAX: usize = 256;
/// Between two words in the log about what is no message.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Gives what is read to whom it concerns.
#[derive(Debug, Clone)]
pub(crate) struct Demux {
    server: Arc<str>,
    shared: Arc<Shared>,
    replies: mpsc::WeakSender<Queued>,
    rubbish: Arc<Mutex<Rubbish>>,
}

/// What came that is no message.
#[derive(Debug, Default)]
struct Rubbish {
    told: Option<Instant>,
    untold: u64,
}

impl Demux {
    pub(crate) fn new(server: &str, shared: Arc<Shared>, replies: mpsc::WeakSender<Queued>) -> Self {
        Self { server: server.into(), shared, replies, rubbish: Arc::default() }
    }

    /// Takes what came as one piece: a message, or a batch of them. Of what nobody waits for, how much it was (`ration.rs`).
    ///
    /// # Errors
    /// When it is a batch past the bound: the answers in it would be missed, so the channel cannot go on.
    pub(crate) fn receive(&self, text: Bytes) -> Result<u32, LinkError> {
        self.shared.heard.fetch_add(1, Ordering::Relaxed);
        let bytes = text.len();
        if !is_batch(&text) {
            return Ok(self.one(text));
        }
        match split_batch(&text, BATCH_MAX) {
            Ok(parts) if parts.is_empty() => self.not_a_message(&"an empty batch"),
            Ok(parts) => return Ok(parts.into_iter().map(|part| self.one(part)).sum()),
            // A line that is no JSON is something that was printed; an array of too much is the server's own.
            Err(error @ BatchError::TooMany { .. }) => return Err(LinkError::Broken(error.to_string())),
            Err(error) => self.not_a_message(&error),
        }
        Ok(units(bytes))
    }

    /// Nothing more will come, for this reason.
    pub(crate) fn end(&self, why: &LinkError) {
        self.shared.end(why);
    }

    /// One call's request did not reach the server.
    pub(crate) fn fail(&self, call: u64, why: LinkError) {
        if let Some(call) = self.shared.lock().open.remove(&call) {
            call.inbox.close(why);
        }
    }

    fn one(&self, text: Bytes) -> u32 {
        let bytes = text.len();
        match Message::parse(text) {
            Ok(message) => match message.kind() {
                MessageKind::Response => {
                    if self.answered(message) {
                        return 0;
                    }
                }
                MessageKind::Notification => self.notified(message),
                MessageKind::Request => self.asked(message),
            },
            // Many programs print something before they begin to speak; that is no reason to end them.
            Err(error) => self.not_a_message(&error),
        }
        units(bytes)
    }

    /// Told, but no more than once a second: what prints without end must not fill the log.
    fn not_a_message(&self, error: &dyn std::fmt::Display) {
        let untold = {
            let mut rubbish = self.rubbish.lock().unwrap_or_else(PoisonError::into_inner);
            if rubbish.told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
                rubbish.untold += 1;
                return;
            }
            rubbish.told = Some(Instant::now());
            std::mem::take(&mut rubbish.untold)
        };
        tracing::warn!(target: "server", server = &*self.server, %error, untold, "what it said is not a message");
    }

    /// Whether a call waited for it.
    fn answered(&self, message: Message) -> bool {
        let id = message.id_number();
        let call = id.and_then(|id| {
            let mut calls = self.shared.lock();
            let call = calls.open.remove(&id);
            if call.is_none() {
                let _late = calls.let_go.answered(id);
            }
            call
        });
        match call {
            Some(call) => call.inbox.answer(message),
            None => {
                tracing::debug!(target: "server", "an answer to no open call was thrown away");
                return false;
            }
        }
        true
    }

    fn notified(&self, message: Message) {
        let unasked = match message.method() {
            Some(Method::Progress) => self.progress(message),
            Some(Method::Cancelled) => return,
            _ => self.by_subscription(message),
        };
        let Some(message) = unasked else { return };
        // A log line names no call: with one call in flight it can only be about that one.
        if message.method() == Some(&Method::LogMessage)
            && let Some(inbox) = self.only(|_| true)
        {
            let _dropped_when_full = inbox.push(message);
            return;
        }
        if let Some(hear) = self.shared.unasked.get() {
            hear(message);
        }
    }

    /// Gives progress to its call, under the client's own token.
    fn progress(&self, message: Message) -> Option<Message> {
        let params = message.params()?;
        let found = members(params).ok()?;
        let (_, token) = found.iter().find(|(key, _)| key == meta_keys::PROGRESS_TOKEN)?;
        let id: u64 = token.get().parse().ok()?;
        let (inbox, own) = {
            let calls = self.shared.lock();
            let call = calls.open.get(&id)?;
            (Arc::clone(&call.inbox), call.progress_token.clone()?)
        };
        let start = token.get().as_ptr() as usize - message.bytes().as_ptr() as usize;
        let mut splice = Splice::new();
        splice.replace(start..start + token.get().len(), own.into_bytes());
        let bytes = splice.apply(message.bytes());
        if let Ok(translated) = Message::parse(bytes.into()) {
            let _dropped_when_full = inbox.push(translated);
        }
        None
    }

    /// Gives what belongs to a `subscriptions/listen` to it.
    fn by_subscription(&self, message: Message) -> Option<Message> {
        let id = message.params().filter(|p| p.contains(meta_keys::SUBSCRIPTION_ID)).and_then(|params| {
            let found = members(params).ok()?;
            let (_, meta) = found.iter().find(|(key, _)| key == "_meta")?;
            let inner = members(meta.get()).ok()?;
            inner.iter().find(|(key, _)| key == meta_keys::SUBSCRIPTION_ID)?.1.get().parse::<u64>().ok()
        });
        let inbox = id.and_then(|id| self.shared.lock().open.get(&id).map(|c| Arc::clone(&c.inbox)));
        match inbox {
            Some(inbox) => {
                let _dropped_when_full = inbox.push(message);
                None
            }
            None => Some(message),
        }
    }

    fn asked(&self, message: Message) {
        let id = message.id().unwrap_or("null").to_owned();
        if id.len() > SERVER_ID_BYTES_MAX {
            return;
        }
        let reply = match message.method() {
            Some(Method::Ping) => response(&id, "{}"),
            // Which call it is about is not said: with one in flight that may ask, it can only be that one.
            _ => match (self.only(may_ask), self.shared.unasked.get()) {
                (Some(inbox), _) => match inbox.push(message) {
                    true => return,
                    false => error_response(Some(&id), ErrorCode::INTERNAL, "too many messages wait", None),
                },
                (None, Some(hear)) => return hear(message),
                (None, None) => {
                    let why = "not before the handshake is over";
                    error_response(Some(&id), ErrorCode::METHOD_NOT_FOUND, why, None)
                }
            },
        };
        if let Some(outbox) = self.replies.upgrade() {
            let _best_effort = outbox.try_send(Queued { message: reply.into(), call: None });
        }
    }

    /// The one call of a client's that is in flight, if it is just one and `fits`. While the server may still be at work
    /// on one that was let go, there is none: it may be about that one, which was another client's.
    fn only(&self, fits: impl Fn(&Method) -> bool) -> Option<Arc<Inbox>> {
        let calls = self.shared.lock();
        let mut clients = calls.open.values().filter(|call| !call.is_hubs_own());
        let only = clients.next()?;
        (clients.next().is_none() && !calls.let_go.may_ask() && fits(&only.method)).then(|| Arc::clone(&only.inbox))
    }
}

/// The requests in answering which a server may ask its client something (2025-11-25, "client features").
pub(crate) const fn may_ask(method: &Method) -> bool {
    matches!(
        method,
        Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead | Method::Complete | Method::TasksResult
    )
}

#[cfg(test)]
mod tests;
