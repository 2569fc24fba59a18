//! The calls of one HTTP session that wait on a stream, for what servers say about them on the session's own stream.
//!
//! By the specification a call's messages come on its own stream. Servers that keep one stream for everything are common
//! all the same, and clients that look at ids alone never notice.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use omni_protocol::{Message, MessageKind, Method};

use crate::inbox::Inbox;
use crate::let_go::LetGo;

/// Answers kept for calls whose own stream is not there yet.
const EARLY_MAX: usize = 8;
/// Their bytes together.
const EARLY_BYTES_MAX: usize = 256 * 1024;

/// The calls that wait on a stream.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    waiting: HashMap<u64, Call>,
    /// Answers that came before the call's own stream was seen to begin: the two come on two connections.
    early: VecDeque<(u64, Message)>,
    let_go: LetGo,
}

impl Calls {
    /// Keeps an answer for a call that is not known yet; of several for one call the last, and the oldest give way.
    fn keep_early(&mut self, call: u64, answer: Message) {
        self.early.retain(|(id, _)| *id != call);
        if answer.bytes().len() > EARLY_BYTES_MAX {
            return;
        }
        self.early.push_back((call, answer));
        let bytes =
            |early: &VecDeque<(u64, Message)>| early.iter().map(|(_, answer)| answer.bytes().len()).sum::<usize>();
        while self.early.len() > EARLY_MAX || bytes(&self.early) > EARLY_BYTES_MAX {
            self.early.pop_front();
        }
    }
}

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
    /// Whether its answer was read.
    pub(crate) answered: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut calls = self.streams.lock();
        let may_ask = calls.waiting.remove(&self.call).is_some_and(|call| call.may_ask);
        if may_ask && !self.answered {
            calls.let_go.remember(self.call);
        }
    }
}

impl Streams {
    /// `call` waits from now on.
    pub(crate) fn wait(self: &Arc<Self>, call: u64, may_ask: bool) -> Waiting {
        let inbox = Inbox::new();
        let mut calls = self.lock();
        if let Some(at) = calls.early.iter().position(|(id, _)| *id == call)
            && let Some((_, answer)) = calls.early.remove(at)
        {
            inbox.answer(answer);
        }
        calls.waiting.insert(call, Call { inbox: Arc::clone(&inbox), may_ask });
        drop(calls);
        Waiting { streams: Arc::clone(self), call, inbox, answered: false }
    }

    /// `call` was let go without an answer, before or after its stream began.
    pub(crate) fn let_go(&self, call: u64) {
        self.lock().let_go.remember(call);
    }

    /// Gives an answer to its call, and a question or a log line to the only call in flight, where it is said to be the
    /// only one and none was let go that it may be about. What is left belongs to no call.
    pub(crate) fn give(&self, message: Message, only: bool) -> Option<Message> {
        let mut calls = self.lock();
        match (message.kind(), message.method()) {
            (MessageKind::Response, _) => {
                let Some(id) = message.id_number() else { return Some(message) };
                if let Some(call) = calls.waiting.get(&id) {
                    call.inbox.answer(message);
                } else if !calls.let_go.answered(id) {
                    calls.keep_early(id, message);
                }
                None
            }
            (MessageKind::Request, Some(Method::Ping)) => Some(message),
            (MessageKind::Request, _) | (_, Some(Method::LogMessage))
                if only && calls.waiting.len() == 1 && !calls.let_go.may_ask() =>
            {
                let given = calls.waiting.values().all(|call| call.may_ask && call.inbox.push(message.clone()));
                if given { None } else { Some(message) }
            }
            _ => Some(message),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use omni_protocol::Message;

    use super::{EARLY_BYTES_MAX, EARLY_MAX, Streams};

    fn message(text: &'static str) -> Message {
        Message::parse(text.into()).unwrap()
    }

    #[tokio::test]
    async fn gw_1_what_comes_on_the_sessions_stream_finds_its_call() {
        let streams = Arc::new(Streams::default());
        let answer = message(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        let question = message(r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create"}"#);
        let ping = message(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        assert!(streams.give(question.clone(), true).is_some());
        let hubs_own = streams.wait(0, false);
        assert!(streams.give(question.clone(), true).is_some());
        drop(hubs_own);
        let mut one = streams.wait(1, true);
        assert!(streams.give(ping, true).is_some());
        assert!(streams.give(question.clone(), false).is_some());
        assert!(streams.give(question.clone(), true).is_none());
        assert_eq!(one.inbox.next().await.unwrap().bytes(), question.bytes());
        let mut two = streams.wait(2, true);
        assert!(streams.give(question, true).is_some());
        assert!(streams.give(answer.clone(), false).is_none());
        assert_eq!(one.inbox.next().await.unwrap().bytes(), answer.bytes());
        (one.answered, two.answered) = (true, true);
        drop((one, two));
        // The answer may be there before the stream is.
        assert!(streams.give(answer.clone(), true).is_none());
        assert_eq!(streams.wait(1, true).inbox.next().await.unwrap().bytes(), answer.bytes());
    }

    #[test]
    fn trb_4_answers_that_nobody_waits_for_are_bounded_in_number_and_bytes() {
        let streams = Arc::new(Streams::default());
        let answer = |id: u64, bytes: usize| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":"{}"}}}}"#, "x".repeat(bytes));
            assert!(streams.give(Message::parse(text.into()).unwrap(), true).is_none());
        };
        let kept = || {
            let calls = streams.lock();
            let bytes = calls.early.iter().map(|(_, answer)| answer.bytes().len()).sum::<usize>();
            (calls.early.iter().map(|(id, _)| *id).collect::<Vec<_>>(), bytes)
        };
        (0..1_000).for_each(|id| answer(id, 1));
        assert_eq!(kept().0, (1_000 - EARLY_MAX as u64..1_000).collect::<Vec<_>>());
        // The same one over and over is kept once.
        (0..100).for_each(|_| answer(999, 1));
        assert_eq!(kept().0.len(), EARLY_MAX);
        (0..20).for_each(|id| answer(id, EARLY_BYTES_MAX / 3));
        assert!(kept().0 == [18, 19] && kept().1 <= EARLY_BYTES_MAX, "{:?}", kept());
        answer(20, EARLY_BYTES_MAX);
        assert_eq!(kept().0, [18, 19]);
    }

    #[tokio::test]
    async fn gw_1_a_question_after_a_cancelled_call_is_not_put_to_the_next_client() {
        let streams = Arc::new(Streams::default());
        let question = message(r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create"}"#);
        let late = |id: u64| Message::parse(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into()).unwrap();
        let (cancelled, other) = (streams.wait(1, true), streams.wait(2, true));
        drop(cancelled);
        assert!(streams.give(question.clone(), true).is_some());
        // One that was cancelled before its stream began.
        streams.let_go(3);
        assert!(streams.give(late(1), true).is_none());
        assert!(streams.give(question.clone(), true).is_some());
        assert!(streams.give(late(3), true).is_none());
        assert!(streams.give(question.clone(), true).is_none());
        assert_eq!(other.inbox.next().await.unwrap().bytes(), question.bytes());
    }
}
