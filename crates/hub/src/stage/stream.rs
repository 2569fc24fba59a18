//! What comes of one call after its first message: progress, questions of the server's, the answer. Questions that the
//! client's era asks in another way are turned into that way here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_audit::Recording;
use omni_protocol::{Message, MessageKind, Version, response};
use omni_proxy::{Exchange, Messages, Outgoing, Place};
use omni_telemetry::within_trace;
use omni_types::{Fault, FaultKind};

use crate::calls::{Booked, unless_cancelled};
use crate::parking::{Asked, Parked};
use crate::record::{self, CallRecord, withheld};
use crate::stage::failure::says_failure;
use crate::stage::forward::Arrived;
use crate::stage::input::{REQUESTS_MAX, modern_request};
use crate::stage::passage::{Carried, Passage};
use crate::stage::rounds;

/// After a question of the server's, for others that it asks in the same breath.
const GATHER: Duration = Duration::from_millis(30);
/// Times that one call may ask for input.
const ROUNDS_MAX: usize = 16;

/// The client's answers are on their way, and then the server's next message.
type Round = Pin<Box<dyn Future<Output = Result<(Exchange, Place), Fault>> + Send>>;

/// What follows, message by message, up to the answer.
pub struct SanitizedStream {
    passage: Passage,
    source: Option<Messages>,
    /// Came already, and was not looked at yet.
    first: Option<Message>,
    /// Made already, and not handed out yet; `true` marks the answer.
    ready: VecDeque<(Bytes, bool)>,
    /// The call as it was sent, to be sent again with the client's answers.
    again: Option<Box<Outgoing>>,
    round: Option<Round>,
    rounds: usize,
    /// What a server of an earlier revision asked of a client of 2026-07-28.
    asked: Vec<Asked>,
    /// JSON text of capabilities that the server wanted of its client, which did not declare them.
    undeclared: Option<&'static str>,
    status: u16,
    is_error: bool,
    booked: Option<Arc<Booked>>,
    /// What is to be written down at the end.
    record: Option<Box<CallRecord>>,
    /// The end, which waits for its record to be durable.
    closing: Option<(Recording, End)>,
    /// Given back while the client is asked by the hub: nothing is in flight at the server then.
    place: Option<Place>,
}

/// What [`SanitizedStream::next`] returns.
type End = Result<Option<(Bytes, bool)>, Fault>;

impl std::fmt::Debug for SanitizedStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SanitizedStream").field("passage", &self.passage).finish_non_exhaustive()
    }
}

impl SanitizedStream {
    pub(super) fn new(mut passage: Passage, arrived: Arrived, booked: Option<Booked>, place: Place) -> Self {
        let (source, first, again, asked, status) = match arrived {
            Arrived::Answer { exchange, again } => {
                (exchange.rest, Some(exchange.first), again, Vec::new(), exchange.status)
            }
            Arrived::Resumed(parked) => {
                passage.known_token(parked.token);
                (Some(parked.messages), None, None, parked.asked, 200)
            }
        };
        let (ready, booked) = (VecDeque::new(), booked.map(Arc::new));
        Self {
            passage,
            source,
            first,
            ready,
            again,
            round: None,
            rounds: 0,
            asked,
            undeclared: None,
            status,
            is_error: false,
            booked,
            record: None,
            closing: None,
            place: Some(place),
        }
    }

    /// From now on the call's end is written down here.
    pub(crate) fn keep(&mut self, record: CallRecord) {
        self.record = Some(Box::new(record));
    }

    /// The next message, and whether it is the answer; `None` after that. It may be dropped and called again.
    ///
    /// # Errors
    /// When the server fails, or the client cancels the call.
    pub async fn next(&mut self) -> Result<Option<(Bytes, bool)>, Fault> {
        if self.closing.is_none() {
            let next = self.next_unrecorded().await;
            if matches!(next, Ok(Some((_, false)))) {
                return next;
            }
            let recording = self.record.take().and_then(|mut record| record.finish(ended(&next, self.is_error)));
            let next = next.map_err(|fault| self.passage.told(fault));
            match recording {
                Some(recording) => self.closing = Some((recording, next)),
                None => return next,
            }
        }
        let Some((recording, _)) = &mut self.closing else { return Ok(None) };
        let recorded = recording.await;
        let end = self.closing.take().map_or(Ok(None), |(_, end)| end);
        recorded.map_err(|error| self.passage.told(withheld(&error)))?;
        end
    }

    async fn next_unrecorded(&mut self) -> End {
        // A handle of its own, so that the rest can be borrowed beside it and the call stays booked when this is dropped.
        let booked = self.booked.clone();
        let trace = self.record.as_ref().map(|record| record.trace());
        let advance = unless_cancelled(booked.as_deref(), self.advance());
        match trace {
            Some(trace) => within_trace(trace, advance).await,
            None => advance.await,
        }
    }

    async fn advance(&mut self) -> Result<Option<(Bytes, bool)>, Fault> {
        loop {
            if let Some(made) = self.ready.pop_front() {
                let (message, is_answer) = made;
                return Ok(Some((self.passage.leave(message)?, is_answer)));
            }
            if let Some(round) = &mut self.round {
                let outcome = round.await;
                self.round = None;
                let (exchange, place) = outcome?;
                self.place = Some(place);
                (self.first, self.source, self.status) = (Some(exchange.first), exchange.rest, exchange.status);
                continue;
            }
            let message = match self.first.take() {
                Some(first) => Some(first),
                None if self.asked.is_empty() => self.receive().await?,
                // More of what the server asks may be there already.
                None => match tokio::time::timeout(GATHER, self.receive()).await {
                    Ok(message) => message?,
                    Err(_) => {
                        self.park()?;
                        continue;
                    }
                },
            };
            let Some(message) = message else { return Ok(None) };
            if message.kind() == MessageKind::Response {
                self.answered(&message)?;
            } else {
                self.carry(message)?;
            }
        }
    }

    async fn receive(&mut self) -> Result<Option<Message>, Fault> {
        let Some(source) = &mut self.source else { return Ok(None) };
        let link = Arc::clone(source.link());
        source.next().await.map_err(|e| link.fault(&e))
    }

    fn answered(&mut self, message: &Message) -> Result<(), Fault> {
        self.source = None;
        self.asked.clear();
        if let (Some(result), Some(again)) = (self.passage.input_wanted(message), &self.again) {
            self.rounds += 1;
            if self.rounds > ROUNDS_MAX {
                let server = self.passage.link().server();
                let why = format!("server `{server}` asked for input {ROUNDS_MAX} times without an end");
                return Err(Fault::new(FaultKind::ServerBroken, why));
            }
            let (questions, round) = rounds::begin(&self.passage, result, Outgoing::clone(again))?;
            self.ready.extend(questions.into_iter().map(|question| (question, false)));
            self.round = Some(round);
            self.place = None;
            return Ok(());
        }
        self.is_error = says_failure(message);
        let missing = self.undeclared.and_then(|required| self.passage.capability_missing(required, message));
        let (bytes, changed) = match missing.or_else(|| self.passage.urls_wanted(message)) {
            Some((bytes, status)) => (bytes, Some(status)),
            None => (self.passage.answer(message)?, None),
        };
        self.status = changed.unwrap_or_else(|| self.passage.status(self.status, message.error_code()));
        self.ready.push_back((bytes, true));
        Ok(())
    }

    fn carry(&mut self, message: Message) -> Result<(), Fault> {
        let asks = message.kind() == MessageKind::Request;
        match self.passage.carry(message) {
            Carried::Ready(bytes) => {
                if let Some(source) = self.source.as_mut().filter(|_| asks) {
                    source.wait_for_client(self.passage.input_wait());
                }
                self.ready.push_back((bytes, false));
            }
            Carried::Dropped => {}
            // It may do without; if it cannot, its client is told why.
            Carried::Undeclared(required) => self.undeclared = Some(required),
            Carried::Asked(message) => {
                let Some((key, request)) = modern_request(&message).filter(|_| self.asked.len() < REQUESTS_MAX) else {
                    self.passage.refuse(&message, "too many requests in one breath");
                    return Ok(());
                };
                let id = message.id().unwrap_or("null").to_owned();
                let taken = self.asked.iter().any(|asked| asked.key == key);
                let key = if taken { format!("{key}-{}", self.asked.len()) } else { key };
                self.asked.push(Asked { key, id, request });
                if self.asked.len() == REQUESTS_MAX {
                    self.park()?;
                }
            }
        }
        Ok(())
    }

    /// The server waits for its client: the call is put aside until the client comes with the answers.
    fn park(&mut self) -> Result<(), Fault> {
        let asked = std::mem::take(&mut self.asked);
        let Some(mut messages) = self.source.take() else { return Ok(()) };
        messages.set_apart();
        let requests: Vec<_> = asked.iter().map(|a| (a.key.clone(), a.request.clone())).collect();
        let parked = Parked { messages, asked, token: self.passage.token().map(str::to_owned) };
        let state = self.passage.park(parked)?;
        let requests = requests.iter().map(|(key, request)| (key.as_str(), request.as_str()));
        let info = self.passage.link().hello().server_info.as_deref();
        let result = crate::stage::input::input_required(requests, Some(&state), info);
        self.status = 200;
        self.ready.push_back((response(self.passage.id(), &result).into(), true));
        Ok(())
    }

    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    pub(super) const fn is_error(&self) -> bool {
        self.is_error
    }

    /// JSON text of the id of the call that is answered.
    #[must_use]
    pub fn id(&self) -> &str {
        self.passage.id()
    }

    /// The revision that the client speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.passage.version()
    }
}

/// How the call ended, for its record.
fn ended(end: &End, is_error: bool) -> record::End<'_> {
    match end {
        Ok(_) => record::End::Answered { is_error },
        Err(fault) => record::End::Fault(fault, None),
    }
}
