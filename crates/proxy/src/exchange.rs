//! One call on a link: what goes out, and what comes back, message by message.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use omni_protocol::{Message, MessageKind};

use crate::channel::ChannelCall;
use crate::error::LinkError;
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::transports::{HttpAnswer, HttpMessages};
use crate::wire::Wire;

/// The answer, or its beginning.
#[derive(Debug)]
pub struct Exchange {
    /// The first message: the answer itself, or something before it.
    pub first: Message,
    /// What follows, when the first was not the answer.
    pub rest: Option<Messages>,
    /// HTTP status under which a server behind HTTP answered; 200 otherwise.
    pub status: u16,
}

/// The messages that follow, up to the answer.
#[derive(Debug)]
pub struct Messages {
    source: Source,
    deadline: Duration,
    /// When it is too late, and when it is too late whatever progress is told.
    until: Instant,
    longest: Instant,
    guard: CallGuard,
    answered: bool,
    /// How long the server waits for its client, while it does.
    waits: Option<Duration>,
}

#[derive(Debug)]
pub(crate) enum Source {
    Http(Box<HttpMessages>),
    Channel(ChannelCall),
}

/// Cancels a call that is let go before its answer came (row TOOL-3).
#[derive(Debug)]
pub(crate) struct CallGuard {
    link: Arc<Link>,
    id: u64,
    armed: bool,
    /// The breaker's, when the call began.
    epoch: u64,
}

impl CallGuard {
    pub(crate) fn new(link: &Arc<Link>, id: u64) -> Self {
        link.call_begins();
        Self { link: Arc::clone(link), id, armed: true, epoch: link.health.breaker.epoch() }
    }

    /// The answer came, or the server is gone: there is nothing to cancel.
    pub(crate) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if self.armed {
            self.link.cancel(self.id);
        }
        self.link.call_ends();
    }
}

impl Link {
    /// Sends a request and waits for the first message that comes back.
    ///
    /// # Errors
    /// When the server is gone, silent past the deadline, or breaks the protocol.
    pub async fn exchange(self: &Arc<Self>, outgoing: Outgoing) -> Result<Exchange, LinkError> {
        let mut guard = CallGuard::new(self, outgoing.id);
        let limit = self.timeout().min(self.longest());
        let done = {
            let work = std::pin::pin!(async {
                let done = tokio::time::timeout(limit, self.first(outgoing, &mut guard)).await;
                done.unwrap_or(Err(LinkError::Timeout { seconds: limit.as_secs() }))
            });
            self.health.unless_ended(work).await
        };
        // What comes before the answer settles nothing: the answer may never come.
        if !matches!(done, Ok((_, Some(_), _))) {
            self.settle(guard.epoch, &done);
        }
        let (first, source, status) = done?;
        let rest = source.map(|source| Messages::new(source, limit, guard));
        Ok(Exchange { first, rest, status })
    }

    async fn first(
        self: &Arc<Self>,
        outgoing: Outgoing,
        guard: &mut CallGuard,
    ) -> Result<(Message, Option<Source>, u16), LinkError> {
        let id = outgoing.id;
        let (mut source, status) = match self.wire() {
            Wire::Channel(channel) => (Source::Channel(channel.call(outgoing).await?), 200),
            Wire::Http(wire) => match wire.call(&outgoing).await {
                Ok(HttpAnswer::One(message, status)) => {
                    guard.disarm();
                    check_answer(&message, id)?;
                    return Ok((message, None, status));
                }
                Ok(HttpAnswer::Stream(messages)) => (Source::Http(messages), 200),
                Ok(HttpAnswer::Accepted) => {
                    return Err(LinkError::Broken("it accepted a request without answering it".to_owned()));
                }
                Err(error) => {
                    guard.disarm();
                    return Err(error);
                }
            },
        };
        let first = match source.next().await {
            Ok(first) => first,
            Err(error) => {
                guard.disarm();
                return Err(error);
            }
        };
        if first.kind() == MessageKind::Response {
            guard.disarm();
            check_answer(&first, id)?;
            return Ok((first, None, status));
        }
        Ok((first, Some(source), status))
    }
}

impl Source {
    pub(crate) async fn next(&mut self) -> Result<Message, LinkError> {
        match self {
            Self::Http(messages) => messages.next().await,
            Self::Channel(call) => call.next().await,
        }
    }
}

impl Messages {
    pub(crate) fn new(source: Source, deadline: Duration, guard: CallGuard) -> Self {
        let now = Instant::now();
        let longest = now + guard.link.longest();
        Self { source, deadline, until: now + deadline, longest, guard, answered: false, waits: None }
    }

    /// The next message; `None` after the answer.
    ///
    /// # Errors
    /// When the server breaks off, or stays silent past the deadline.
    pub async fn next(&mut self) -> Result<Option<Message>, LinkError> {
        if self.answered {
            return Ok(None);
        }
        let health = Arc::clone(&self.guard.link.health);
        let outcome = health.unless_ended(std::pin::pin!(self.following())).await;
        // A client that does not answer is no fault of the server's.
        let late_client = self.waits.is_some() && matches!(&outcome, Err(LinkError::Timeout { .. }));
        if !late_client && !matches!(&outcome, Ok(message) if message.kind() != MessageKind::Response) {
            self.guard.link.settle(self.guard.epoch, &outcome);
        }
        outcome.map(Some)
    }

    async fn following(&mut self) -> Result<Message, LinkError> {
        // Signs of progress put the end off, but not for ever (basic/utilities, "Timeouts").
        let next = tokio::time::timeout_at(self.until.min(self.longest), self.source.next()).await;
        let message = match next {
            Err(_) if self.longest <= self.until => {
                return Err(LinkError::TooLong { seconds: self.guard.link.longest().as_secs() });
            }
            Err(_) => {
                return Err(LinkError::Timeout { seconds: self.waits.unwrap_or(self.deadline).as_secs() });
            }
            Ok(Err(error)) => {
                self.answered = true;
                self.guard.disarm();
                return Err(error);
            }
            Ok(Ok(message)) => message,
        };
        self.go_on();
        if message.kind() == MessageKind::Response {
            if message.id_number() != Some(self.guard.id) {
                return Err(LinkError::Broken("it answered a request that was not asked".to_owned()));
            }
            self.answered = true;
            self.guard.disarm();
        }
        Ok(message)
    }

    /// The server waits for its client, maybe for minutes: meanwhile the call takes no connection from others. Calls that
    /// wait are bounded where they wait.
    pub fn set_apart(&mut self) {
        if let Source::Http(messages) = &mut self.source {
            messages.set_apart();
        }
    }

    /// The server asked its client, who has `wait` to answer: so long the server is not late.
    pub fn wait_for_client(&mut self, wait: Duration) {
        let wait = wait.max(self.deadline);
        self.waits = Some(wait);
        self.until = Instant::now() + wait;
    }

    /// The server's time begins anew: it said something, or its client did.
    pub fn go_on(&mut self) {
        self.waits = None;
        self.until = Instant::now() + self.deadline;
    }

    /// The link it runs on, for answers to what the server asks in between.
    #[must_use]
    pub fn link(&self) -> &Arc<Link> {
        &self.guard.link
    }
}

fn check_answer(message: &Message, id: u64) -> Result<(), LinkError> {
    // A server that could not read a request answers without its id (JSON-RPC 2.0 section 5).
    let unreadable = message.error().is_some() && message.id().is_none_or(|id| id == "null");
    if message.kind() != MessageKind::Response || (message.id_number() != Some(id) && !unreadable) {
        return Err(LinkError::Broken("it answered something else than what was asked".to_owned()));
    }
    Ok(())
}
