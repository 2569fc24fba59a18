//! One call on a link: what goes out, and what comes back, message by message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use omni_protocol::{Message, MessageKind, Method};

use crate::error::LinkError;
use crate::link::Link;
use crate::transports::{HttpMessages, StdioCall};

/// A request ready to be sent: its id is the link's, everything else the client's.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The whole message.
    pub body: Bytes,
    /// Its id, from [`Link::next_id`].
    pub id: u64,
    /// Its method, for the `Mcp-Method` header.
    pub method: Method,
    /// The name or URI called, for the `Mcp-Name` header.
    pub name: Option<String>,
    /// Headers of the client that a server of 2026-07-28 has to see (`Mcp-Param-*`, trace context).
    pub headers: HeaderMap,
    /// The client's own progress token, where the message carries the link's id in its place.
    pub progress_token: Option<String>,
}

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
    guard: CallGuard,
    answered: bool,
}

#[derive(Debug)]
pub(crate) enum Source {
    Http(Box<HttpMessages>),
    Stdio(StdioCall),
}

/// Cancels a call that is let go before its answer came (row TOOL-3).
#[derive(Debug)]
pub(crate) struct CallGuard {
    link: Arc<Link>,
    id: u64,
    armed: bool,
}

impl CallGuard {
    pub(crate) fn new(link: &Arc<Link>, id: u64) -> Self {
        link.call_begins();
        Self { link: Arc::clone(link), id, armed: true }
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

impl Source {
    pub(crate) async fn next(&mut self) -> Result<Message, LinkError> {
        match self {
            Self::Http(messages) => messages.next().await,
            Self::Stdio(call) => call.next().await,
        }
    }
}

impl Messages {
    pub(crate) const fn new(source: Source, deadline: Duration, guard: CallGuard) -> Self {
        Self { source, deadline, guard, answered: false }
    }

    /// The next message; `None` after the answer.
    ///
    /// # Errors
    /// When the server breaks off, or stays silent past the deadline.
    pub async fn next(&mut self) -> Result<Option<Message>, LinkError> {
        if self.answered {
            return Ok(None);
        }
        let next = tokio::time::timeout(self.deadline, self.source.next()).await;
        let message = match next {
            Err(_) => return Err(LinkError::Timeout { seconds: self.deadline.as_secs() }),
            Ok(Err(error)) => {
                self.answered = true;
                self.guard.disarm();
                return Err(error);
            }
            Ok(Ok(message)) => message,
        };
        if message.kind() == MessageKind::Response {
            if message.id_number() != Some(self.guard.id) {
                return Err(LinkError::Broken("it answered a request that was not asked".to_owned()));
            }
            self.answered = true;
            self.guard.disarm();
        }
        Ok(Some(message))
    }

    /// The link it runs on, for answers to what the server asks in between.
    #[must_use]
    pub fn link(&self) -> &Arc<Link> {
        &self.guard.link
    }
}
