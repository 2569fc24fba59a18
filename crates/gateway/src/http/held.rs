//! A call of a session's client that survives the connection it came on: up to 2025-11-25 a disconnect cancels nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_hub::{EventId, Identified, Reader, Reply, Session, StreamId};
use omni_protocol::{Version, write_event};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::batch::{Answers, Batch};
use crate::speech::{Coming, Speech};

/// Events that a client which came back has not taken, before the call waits for it.
const UNREAD_MAX: usize = 32;
/// What a client is told to wait before it comes back.
const RETRY: Duration = Duration::from_secs(1);

/// What makes the messages.
enum Work {
    One(Speech),
    /// A batch, and what came before it was known that a stream is needed.
    Many(Batch, VecDeque<(Bytes, bool)>),
}

/// A call that runs. Let go before its answer, it goes on without its client until the session's window is over, or what its
/// client showed holds no longer.
pub(crate) struct Held {
    session: Arc<Session>,
    sender: Identified,
    work: Option<Work>,
    stream: Option<(StreamId, Reader)>,
    stopping: watch::Receiver<bool>,
}

/// What became of a batch.
pub(crate) enum BatchOutcome {
    /// All answers, in one array; `None` when nothing was to be answered.
    Answered(Option<Bytes>),
    /// Something comes before the answers.
    Streams,
}

impl Held {
    pub(crate) fn new(
        (session, sender): (Arc<Session>, Identified),
        coming: Coming,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { session, sender, work: Some(Work::One(Speech::Coming(coming))), stream: None, stopping }
    }

    pub(crate) fn batch(
        (session, sender): (Arc<Session>, Identified),
        batch: Batch,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { session, sender, work: Some(Work::Many(batch, VecDeque::new())), stream: None, stopping }
    }

    /// The reply to one message; `None` when this is a batch.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        let Some(Work::One(Speech::Coming(coming))) = &mut self.work else { return None };
        let reply = coming.await;
        self.work = None;
        Some(reply)
    }

    /// What is left to be said of a reply that has begun.
    pub(crate) fn go_on(&mut self, speech: Speech) {
        self.work = Some(Work::One(speech));
    }

    /// Gathers the answers of a batch.
    pub(crate) async fn gather(&mut self) -> BatchOutcome {
        let mut answers = Answers::default();
        while let Some(Work::Many(batch, early)) = &mut self.work {
            match batch.next().await {
                Some((answer, true)) => answers.add(answer),
                Some(message) => {
                    early.extend(answers.into_messages().into_iter().map(|answer| (answer, true)));
                    early.push_back(message);
                    return BatchOutcome::Streams;
                }
                None => self.work = None,
            }
        }
        BatchOutcome::Answered(answers.into_array())
    }

    /// From now on what is said is a stream that can be taken up again. The event that begins it, for clients that know
    /// what an event without data means.
    pub(crate) fn begin_stream(&mut self) -> Option<Bytes> {
        let events = &self.session.events;
        if events.window().is_zero() {
            return None;
        }
        let (stream, reader) = events.open(true);
        self.stream = Some((stream, reader));
        prime(&self.session, stream)
    }

    /// The next event; `None` after the answer, or when another connection took the stream over.
    pub(crate) async fn next_event(&mut self) -> Option<Bytes> {
        let Some((stream, reader)) = self.stream else {
            return self.work.as_mut()?.next().await.map(|(message, _)| event(None, &message));
        };
        let events = &self.session.events;
        let message = {
            let next = self.work.as_mut()?.next();
            let mut next = std::pin::pin!(next);
            loop {
                let mut changed = std::pin::pin!(events.changed());
                changed.as_mut().enable();
                if !events.reads(stream, reader) {
                    return None;
                }
                tokio::select! {
                    biased;
                    message = next.as_mut() => break message,
                    () = changed => {}
                }
            }
        };
        let ended = message.as_ref().is_none_or(|(_, last)| *last && matches!(self.work, Some(Work::One(_))));
        let bytes = message.map(|(message, _)| events.add(stream, Some(reader), |id| event(Some(id), &message)));
        if ended {
            self.work = None;
            events.end(stream);
        }
        bytes
    }
}

impl Work {
    async fn next(&mut self) -> Option<(Bytes, bool)> {
        match self {
            Self::One(speech) => speech.next().await,
            Self::Many(batch, early) => match early.pop_front() {
                Some(message) => Some(message),
                None => batch.next().await,
            },
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let events = &self.session.events;
        let stream = self.stream.map(|(stream, reader)| {
            events.leave(stream, reader);
            stream
        });
        let window = events.window();
        let kept =
            self.work.take().filter(|_| !window.is_zero() && !self.session.has_ended() && !*self.stopping.borrow());
        // Nobody could come back for it.
        let kept = kept.filter(|_| self.sender.stands().is_ok());
        match (kept, tokio::runtime::Handle::try_current()) {
            (Some(work), Ok(runtime)) => {
                let whose = (Arc::clone(&self.session), self.sender.clone());
                runtime.spawn(keep(whose, work, stream, window, self.stopping.clone()));
            }
            _ => {
                if let Some(stream) = stream {
                    events.end(stream);
                }
            }
        }
    }
}

/// Goes on with a call whose client has gone: to its end, or until the window is over, then it is cancelled.
async fn keep(
    (session, sender): (Arc<Session>, Identified),
    mut work: Work,
    stream: Option<StreamId>,
    window: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let (events, gone) = (&session.events, Instant::now());
    'messages: loop {
        let next = work.next();
        let mut next = std::pin::pin!(next);
        let message = loop {
            let mut changed = std::pin::pin!(events.changed());
            changed.as_mut().enable();
            let (left, unread) = match stream {
                None if session.has_ended() => break 'messages,
                None => (Some(gone), 0),
                Some(stream) => match events.waiting(stream) {
                    Some(waiting) => waiting,
                    None => break 'messages,
                },
            };
            let until = left.unwrap_or_else(Instant::now) + window;
            tokio::select! {
                biased;
                message = next.as_mut(), if left.is_some() || unread < UNREAD_MAX => break message,
                () = changed => {}
                () = tokio::time::sleep_until(until), if left.is_some() => {
                    tracing::debug!(session = %session.id(), "a call is cancelled: its client did not come back");
                    break 'messages;
                }
                _ = stopping.wait_for(|stop| *stop) => break 'messages,
                _ = sender.ended() => break 'messages,
            }
        };
        match (message, stream) {
            (Some((message, _)), Some(stream)) => {
                events.add(stream, None, |id| event(Some(id), &message));
            }
            (Some(_), None) => {}
            (None, _) => break,
        }
    }
    if let Some(stream) = stream {
        events.end(stream);
    }
}

/// The event that begins `stream`: an id to come back with and no data, which clients before 2025-11-25 would take for
/// an empty message.
pub(crate) fn prime(session: &Session, stream: StreamId) -> Option<Bytes> {
    (session.version >= Version::V2025_11_25).then(|| {
        let id = session.events.prime(stream);
        format!("id: {id}\nretry: {}\ndata:\n\n", RETRY.as_millis()).into()
    })
}

/// One message as an event.
pub(crate) fn event(id: Option<EventId>, message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + 64);
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    write_event(&mut out, message);
    out.into()
}
