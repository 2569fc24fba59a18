//! The calls of one HTTP session that wait on a stream, for what servers say about them on the session's own stream.
//!
//! By the specification a call's messages come on its own stream. Servers that keep one stream for everything are common
//! all the same, and clients that look at ids alone never notice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use omni_protocol::{Message, MessageKind, Method};

use crate::inbox::Inbox;

/// The calls that wait on a stream.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<u64, Call>>);

#[derive(Debug)]
struct Call {
    inbox: Arc<Inbox>,
    /// Whether a server may ask its client something about it.
    may_ask: bool,
}

/// One of them; dropped, it is forgotten.
#[derive(Debug)]
pub(crate) struct Waiting {
    streams: Arc<Streams>,
    call: u64,
    pub(crate) inbox: Arc<Inbox>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.streams.lock().remove(&self.call);
    }
}

impl Streams {
    /// `call` waits from now on.
    pub(crate) fn wait(self: &Arc<Self>, call: u64, may_ask: bool) -> Waiting {
        let inbox = Inbox::new();
        self.lock().insert(call, Call { inbox: Arc::clone(&inbox), may_ask });
        Waiting { streams: Arc::clone(self), call, inbox }
    }

    /// Gives an answer to its call, and a question or a log line to the only call in flight, where it is said to be the
    /// only one. What is left belongs to no call.
    pub(crate) fn give(&self, message: Message, only: bool) -> Option<Message> {
        let streams = self.lock();
        match (message.kind(), message.method()) {
            (MessageKind::Response, _) => {
                match message.id_number().and_then(|id| streams.get(&id)) {
                    Some(call) => call.inbox.answer(message),
                    None => return Some(message),
                }
                None
            }
            (MessageKind::Request, Some(Method::Ping)) => Some(message),
            (MessageKind::Request, _) | (_, Some(Method::LogMessage)) if only && streams.len() == 1 => {
                let given = streams.values().all(|call| call.may_ask && call.inbox.push(message.clone()));
                if given { None } else { Some(message) }
            }
            _ => Some(message),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use omni_protocol::Message;

    use super::Streams;

    fn message(text: &'static str) -> Message {
        Message::parse(text.into()).unwrap()
    }

    #[tokio::test]
    async fn gw_1_what_comes_on_the_sessions_stream_finds_its_call() {
        let streams = Arc::new(Streams::default());
        let answer = message(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        let question = message(r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create"}"#);
        let ping = message(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        assert!(streams.give(answer.clone(), true).is_some() && streams.give(question.clone(), true).is_some());
        let hubs_own = streams.wait(0, false);
        assert!(streams.give(question.clone(), true).is_some());
        drop(hubs_own);
        let one = streams.wait(1, true);
        assert!(streams.give(ping, true).is_some());
        assert!(streams.give(question.clone(), false).is_some());
        assert!(streams.give(question.clone(), true).is_none());
        assert_eq!(one.inbox.next().await.unwrap().bytes(), question.bytes());
        let two = streams.wait(2, true);
        assert!(streams.give(question, true).is_some());
        assert!(streams.give(answer.clone(), false).is_none());
        assert_eq!(one.inbox.next().await.unwrap().bytes(), answer.bytes());
        drop((one, two));
        assert!(streams.give(answer, true).is_some());
    }
}
