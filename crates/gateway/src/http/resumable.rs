//! Streams of sessions (2025-03-26 to 2025-11-25): of one call, and of the session itself; both can be taken up again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use omni_hub::stage::Received;
use omni_hub::{EventId, Hub, Identified, Missed, Reader, Reply, Session, StreamId, dispatch};
use omni_protocol::{Version, is_batch};
use tokio::sync::watch;

use crate::batch::{self, Batch, Origin};
use crate::fault;
use crate::http::body::{Body, Next, Source};
use crate::http::held::{BatchOutcome, Held, event, prime};
use crate::http::reply::{COMMENT, Setting, events, in_time, json, refuse, render};
use crate::http::shared::Shared;
use crate::speech::Speech;

/// A call that takes longer is answered by a stream from then on: that is kept alive by comments, and a client whose
/// connection breaks has an event to come back with. Before 2025-11-25 there is none to give ahead of a message.
const STREAM_AFTER: Duration = Duration::from_secs(5);

/// Answers what a session's client posted.
pub(crate) async fn answer(shared: &Arc<Shared>, session: Arc<Session>, received: Received) -> Response<Body> {
    if is_batch(&received.body) {
        return Box::pin(answer_batch(shared, session, received)).await;
    }
    let hub = Arc::clone(&shared.hub);
    let primes = session.version >= Version::V2025_11_25 && !session.events.window().is_zero();
    let sender = received.sender.clone();
    let coming = Box::pin(async move { dispatch(&hub, received).await });
    let mut held = Held::new((session, sender), coming, shared.stopping.clone());
    let reply = if primes {
        tokio::time::timeout(STREAM_AFTER, held.reply()).await.unwrap_or_default()
    } else {
        held.reply().await
    };
    match reply {
        Some(Reply::Answer(sanitized)) => match sanitized.into_parts() {
            (answer, None, status) => json(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), answer),
            (first, Some(rest), _) => {
                held.go_on(Speech::Answer(Some(first), rest));
                stream(held)
            }
        },
        Some(reply) => render(reply, &Setting { stopping: shared.stopping.clone() }),
        None => stream(held),
    }
}

async fn answer_batch(shared: &Arc<Shared>, session: Arc<Session>, received: Received) -> Response<Body> {
    let version = Some(session.version);
    let members = match batch::split(&received.body, version) {
        Ok(members) => members,
        Err(fault) => {
            let status = StatusCode::from_u16(fault::status(fault.kind(), session.version));
            return json(status.unwrap_or(StatusCode::BAD_REQUEST), batch::refusal(&fault, version));
        }
    };
    let origin = Origin {
        hub: Arc::clone(&shared.hub),
        scope: received.scope,
        channel: received.channel,
        sender: received.sender.clone(),
        calls: Arc::clone(&session.calls),
        session: Arc::clone(&session),
        version_header: received.headers.version,
        forwarded: received.headers.forwarded,
    };
    let mut held = Held::batch((session, received.sender), Batch::start(origin, members), shared.stopping.clone());
    match held.gather().await {
        BatchOutcome::Answered(Some(array)) => json(StatusCode::OK, array),
        BatchOutcome::Answered(None) => render(Reply::Accepted, &Setting { stopping: shared.stopping.clone() }),
        BatchOutcome::Streams => stream(held),
    }
}

fn stream(mut held: Held) -> Response<Body> {
    let prime = held.begin_stream();
    events(Box::new(Telling { prime, held }))
}

/// The messages of one call, up to its answer.
struct Telling {
    prime: Option<Bytes>,
    held: Held,
}

impl Source for Telling {
    fn next(mut self: Box<Self>) -> Next {
        Box::pin(async move {
            if let Some(prime) = self.prime.take() {
                return Some((prime, self as Box<dyn Source>));
            }
            let chunk = match in_time(self.held.next_event()).await {
                None => Bytes::from_static(COMMENT),
                Some(event) => event?,
            };
            Some((chunk, self as Box<dyn Source>))
        })
    }
}

/// The stream that a session's client asks for: its own, or one that it read before, from the event after `last`.
pub(crate) fn listen(
    hub: &Arc<Hub>,
    session: Arc<Session>,
    sender: Identified,
    last: Option<&str>,
    stopping: watch::Receiver<bool>,
) -> Response<Body> {
    let last = match last.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => match EventId::parse(text) {
            Some(id) => Some(id),
            None => return refuse(StatusCode::BAD_REQUEST, "Last-Event-ID is no id of an event of this session"),
        },
    };
    let resumed = last.and_then(|id| Some((id.stream, session.events.resume(id)?)));
    let (stream, reader, prime) = match (last, resumed) {
        (_, Some((stream, reader))) => (stream, reader, None),
        (Some(id), None) if id.stream.of_call => {
            // A new stream would leave the client waiting for an answer that never comes.
            let why =
                "nothing is kept of the stream that Last-Event-ID names: the answer was sent, or its time is over";
            return refuse(StatusCode::BAD_REQUEST, why);
        }
        _ => {
            let (stream, reader) = session.events.open(false);
            let prime = (!session.events.window().is_zero()).then(|| prime(&session, stream)).flatten();
            (stream, reader, prime)
        }
    };
    if !stream.of_call {
        hub.stream_opened(&session);
    }
    events(Box::new(Hearing { prime, open: Open { session, stream, reader }, sender, stopping }))
}

/// One reader of a stream, until it goes, however it goes.
struct Open {
    session: Arc<Session>,
    stream: StreamId,
    reader: Reader,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.session.events.leave(self.stream, self.reader);
        if !self.stream.of_call {
            self.session.stream_closed();
        }
    }
}

impl Open {
    /// The next event: what was missed, then what comes; `None` when there is no more for this reader.
    async fn next(&self) -> Option<Bytes> {
        let kept = &self.session.events;
        loop {
            let mut changed = std::pin::pin!(kept.changed());
            changed.as_mut().enable();
            match kept.next(self.stream, self.reader) {
                Missed::Event(bytes) => return Some(bytes),
                Missed::Over => return None,
                Missed::Nothing if self.stream.of_call => changed.await,
                Missed::Nothing => tokio::select! {
                    biased;
                    () = changed => {}
                    message = self.session.outbox.next() => {
                        let (message, keeps) = (message?, !kept.window().is_zero());
                        return Some(kept.add(self.stream, Some(self.reader), |id| event(keeps.then_some(id), &message)));
                    }
                },
            }
        }
    }
}

struct Hearing {
    prime: Option<Bytes>,
    open: Open,
    sender: Identified,
    stopping: watch::Receiver<bool>,
}

impl Source for Hearing {
    fn next(mut self: Box<Self>) -> Next {
        Box::pin(async move {
            if let Some(prime) = self.prime.take() {
                return Some((prime, self as Box<dyn Source>));
            }
            let outcome = tokio::select! {
                outcome = in_time(self.open.next()) => outcome,
                // The client has to show again who it is.
                _ = self.sender.ended() => return None,
                _ = self.stopping.wait_for(|stop| *stop) => return None,
            };
            let chunk = match outcome {
                None => Bytes::from_static(COMMENT),
                Some(event) => event?,
            };
            Some((chunk, self as Box<dyn Source>))
        })
    }
}
