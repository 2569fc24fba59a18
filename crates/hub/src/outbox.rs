//! Messages to a client that belong to none of its calls, waiting for its stream.
//!
//! Every kind has its own bound, and its own way of giving way: that something changed is said once, however often it
//! changed; a server's request is never dropped, it is refused while its server can still be told; of log lines the
//! oldest go, and the client is told how many.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use omni_protocol::{ListKind, members, meta_keys, notification, object_with, without_members};
use tokio::sync::Notify;

/// Resources whose updates wait; of further ones only the whole that was subscribed to is said to have changed, and of
/// those there are no more than there are subscriptions.
const UPDATES_MAX: usize = 8_192;
/// Bytes of what servers say besides the URI; of further updates only the URI is kept.
const UPDATE_BYTES_MAX: usize = 1024 * 1024;
/// Requests of servers.
const REQUESTS_MAX: usize = 64;
/// Log lines.
const LINES_MAX: usize = 256;
/// Their bytes.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// What waits for one stream.
#[derive(Debug, Default)]
pub struct Outbox {
    /// JSON text of the id of the `subscriptions/listen`, where it is the stream of one.
    subscription: Option<Box<str>>,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    lists: [bool; 4],
    /// What is said of each resource in `waiting`, last.
    updates: HashMap<Arc<str>, Option<Box<str>>>,
    update_bytes: usize,
    requests: usize,
    lines: usize,
    line_bytes: usize,
    lines_lost: usize,
    ended: bool,
}

#[derive(Debug)]
enum Waiting {
    Changed(ListKind),
    Updated(Arc<str>),
    Request(Bytes),
    Line(Bytes),
}

impl Outbox {
    /// What waits for the `subscriptions/listen` of this id, a JSON text: its notifications name it.
    pub(crate) fn of_listen(id: &str) -> Self {
        Self { subscription: Some(id.into()), ..Self::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list changed.
    pub(crate) fn changed(&self, kind: ListKind) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.lists[kind.index()], true) {
            return;
        }
        state.waiting.push_back(Waiting::Changed(kind));
        drop(state);
        self.arrived.notify_one();
    }

    /// The resource that the client calls `uri` was updated, which is `whole` or a part of it. `params` are the JSON text of
    /// what the server said, under that URI.
    pub(crate) fn updated(&self, uri: &Arc<str>, whole: &Arc<str>, params: Option<String>) {
        let mut state = self.lock();
        let is_known = state.updates.contains_key(uri);
        let (uri, params) = if !is_known && state.updates.len() >= UPDATES_MAX { (whole, None) } else { (uri, params) };
        let before = state.updates.get(uri).map(|params| params.as_ref().map_or(0, |params| params.len()));
        let bytes = state.update_bytes - before.unwrap_or(0);
        let params = params.filter(|params| bytes + params.len() <= UPDATE_BYTES_MAX).map(String::into_boxed_str);
        state.update_bytes = bytes + params.as_ref().map_or(0, |params| params.len());
        state.updates.insert(Arc::clone(uri), params);
        if before.is_none() {
            state.waiting.push_back(Waiting::Updated(Arc::clone(uri)));
            drop(state);
            self.arrived.notify_one();
        }
    }

    /// A server asks the client something; `false` when so much waits already that it has to be refused.
    #[must_use]
    pub(crate) fn request(&self, message: &Bytes) -> bool {
        let mut state = self.lock();
        if state.requests >= REQUESTS_MAX || state.ended {
            return false;
        }
        state.requests += 1;
        // A copy of its own: a piece of a large read would keep the whole of it.
        state.waiting.push_back(Waiting::Request(Bytes::copy_from_slice(message)));
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// A log line; the oldest gives way.
    pub(crate) fn line(&self, message: &Bytes) {
        let mut state = self.lock();
        while state.lines >= LINES_MAX || (state.lines > 0 && state.line_bytes + message.len() > LINE_BYTES_MAX) {
            let at = state.waiting.iter().position(|waiting| matches!(waiting, Waiting::Line(_)));
            let Some(Waiting::Line(oldest)) = at.and_then(|at| state.waiting.remove(at)) else { break };
            state.lines -= 1;
            state.line_bytes -= oldest.len();
            state.lines_lost += 1;
        }
        state.lines += 1;
        state.line_bytes += message.len();
        state.waiting.push_back(Waiting::Line(Bytes::copy_from_slice(message)));
        drop(state);
        self.arrived.notify_one();
    }

    /// Nothing more will come: what waits is still handed out.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_one();
    }

    /// Waits for the next message; `None` after the last.
    pub async fn next(&self) -> Option<Bytes> {
        loop {
            {
                let mut state = self.lock();
                if let Some(message) = self.take(&mut state) {
                    return Some(message);
                }
                if state.ended {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self, state: &mut State) -> Option<Bytes> {
        if state.lines_lost > 0 {
            let lost = std::mem::take(&mut state.lines_lost);
            let why = format!("{lost} log messages were left out: this client reads more slowly than they come");
            let params = format!(r#"{{"level":"warning","logger":"omni-mcp-hub","data":"{why}"}}"#);
            return Some(notification("notifications/message", Some(&params)).into());
        }
        Some(match state.waiting.pop_front()? {
            Waiting::Changed(kind) => {
                state.lists[kind.index()] = false;
                let params = self.subscription.is_some().then(|| self.tagged("{}"));
                notification(kind.changed(), params.as_deref()).into()
            }
            Waiting::Updated(uri) => {
                let params = state.updates.remove(&uri).flatten();
                state.update_bytes -= params.as_ref().map_or(0, |params| params.len());
                let params =
                    params.map_or_else(|| format!(r#"{{"uri":{}}}"#, serde_json::Value::from(&*uri)), String::from);
                notification("notifications/resources/updated", Some(&self.tagged(&params))).into()
            }
            Waiting::Request(message) => {
                state.requests -= 1;
                message
            }
            Waiting::Line(message) => {
                state.lines -= 1;
                state.line_bytes -= message.len();
                message
            }
        })
    }

    /// `params` as they go out: on the stream of a `subscriptions/listen` they name it.
    fn tagged(&self, params: &str) -> String {
        let Some(id) = &self.subscription else { return params.to_owned() };
        let own = format!(r#""{}":{id}"#, meta_keys::SUBSCRIPTION_ID);
        let found = members(params).unwrap_or_default();
        let meta = match found.iter().find(|(key, _)| key == "_meta") {
            Some((_, meta)) => object_with(meta.get(), &own),
            None => format!("{{{own}}}"),
        };
        let rest = without_members(params, |key| key == "_meta").unwrap_or_else(|_| "{}".to_owned());
        object_with(&rest, &format!(r#""_meta":{meta}"#))
    }
}

#[cfg(test)]
mod tests;
