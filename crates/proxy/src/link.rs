//! One conversation with a server: a process or an HTTP session, in one revision of the protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use omni_protocol::{Message, MessageKind, Version, notification};
use omni_types::ServerName;

use crate::error::LinkError;
use crate::exchange::{CallGuard, Exchange, Messages, Outgoing, Source};
use crate::handshake::Hello;
use crate::transports::{HttpAnswer, HttpWire, StdioWire};

/// What tells links of one server apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LinkKey {
    /// Revision.
    pub version: Version,
    /// The client session it belongs to alone.
    pub session: Option<Arc<str>>,
}

/// For whom a link is wanted.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Revision that the client speaks.
    pub version: Version,
    /// The client's session, if it has one.
    pub session: Option<Arc<SessionProfile>>,
}

/// What a client said of itself when it opened its session.
#[derive(Debug, Clone)]
pub struct SessionProfile {
    /// The session.
    pub id: Arc<str>,
    /// JSON text of its capabilities.
    pub capabilities: String,
    /// JSON text of its name and version.
    pub client_info: String,
}

impl Profile {
    /// The hub's own wishes, as a client of `version`.
    #[must_use]
    pub const fn hub(version: Version) -> Self {
        Self { version, session: None }
    }
}

/// One conversation with a server.
#[derive(Debug)]
pub struct Link {
    server: ServerName,
    key: LinkKey,
    hello: Hello,
    wire: Wire,
    timeout: Duration,
    next_id: AtomicU64,
    in_flight: AtomicUsize,
    began: Instant,
    /// Milliseconds from `began` to the end of the last call.
    last_used_ms: AtomicU64,
    streaming: AtomicBool,
}

#[derive(Debug)]
pub(crate) enum Wire {
    Stdio(StdioWire),
    Http(HttpWire),
}

impl Link {
    pub(crate) fn new(
        server: ServerName,
        key: LinkKey,
        hello: Hello,
        wire: Wire,
        timeout: Duration,
        first_id: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            server,
            key,
            hello,
            wire,
            timeout,
            next_id: AtomicU64::new(first_id),
            in_flight: AtomicUsize::new(0),
            began: Instant::now(),
            last_used_ms: AtomicU64::new(0),
            streaming: AtomicBool::new(false),
        })
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &ServerName {
        &self.server
    }

    /// What tells it apart.
    #[must_use]
    pub const fn key(&self) -> &LinkKey {
        &self.key
    }

    /// The revision spoken on it.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.hello.version
    }

    /// What the server said of itself.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// A fresh request id.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether calls of several clients run side by side on one channel, so that progress tokens could meet.
    #[must_use]
    pub const fn shares_channel(&self) -> bool {
        matches!(self.wire, Wire::Stdio(_))
    }

    /// Calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it can still be used.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match &self.wire {
            Wire::Stdio(wire) => wire.is_alive(),
            Wire::Http(_) => true,
        }
    }

    /// How long it has served nobody.
    #[must_use]
    pub fn idle_for(&self) -> Duration {
        if self.in_flight() > 0 {
            return Duration::ZERO;
        }
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last_used_ms.load(Ordering::Relaxed)))
    }

    /// How long it has been there.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn call_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn call_ends(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_used_ms.store(now, Ordering::Relaxed);
    }

    /// Sends a request and waits for the first message that comes back.
    ///
    /// # Errors
    /// When the server is gone, silent past the deadline, or breaks the protocol.
    pub async fn exchange(self: &Arc<Self>, outgoing: Outgoing) -> Result<Exchange, LinkError> {
        let mut guard = CallGuard::new(self, outgoing.id);
        let limit = self.timeout;
        let done = tokio::time::timeout(limit, self.first(outgoing, &mut guard)).await;
        let (first, source, status) =
            done.unwrap_or(Err(LinkError::Timeout { seconds: limit.as_secs() }))?;
        let rest = source.map(|source| Messages::new(source, limit, guard));
        Ok(Exchange { first, rest, status })
    }

    async fn first(
        self: &Arc<Self>,
        outgoing: Outgoing,
        guard: &mut CallGuard,
    ) -> Result<(Message, Option<Source>, u16), LinkError> {
        let id = outgoing.id;
        let (mut source, status) = match &self.wire {
            Wire::Stdio(wire) => (Source::Stdio(wire.call(outgoing).await?), 200),
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

    /// Sends a notification, or the answer to a request of the server's.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn send(&self, message: Bytes) -> Result<(), LinkError> {
        match &self.wire {
            Wire::Stdio(wire) => wire.write(message).await,
            Wire::Http(wire) => wire.send(message).await,
        }
    }

    pub(crate) fn cancel(self: &Arc<Self>, id: u64) {
        let params = format!(r#"{{"requestId":{id},"reason":"the client let go of the call"}}"#);
        let message = Bytes::from(notification("notifications/cancelled", Some(&params)));
        match &self.wire {
            Wire::Stdio(wire) => wire.write_if_room(message),
            // Over HTTP the closed stream says it to a server of 2026-07-28; an earlier one has to be told.
            Wire::Http(_) if self.version() == Version::V2026_07_28 => {}
            Wire::Http(_) => {
                let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
                let link = Arc::clone(self);
                runtime.spawn(async move {
                    let limit = link.timeout;
                    let _best_effort = tokio::time::timeout(limit, link.send(message)).await;
                });
            }
        }
    }

    /// `true` the first time it is asked: whoever asked opens the stream of what the server says on its own.
    pub(crate) fn claim_stream(&self) -> bool {
        !self.streaming.swap(true, Ordering::Relaxed)
    }

    pub(crate) const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Ends the conversation: closes a process's standard input, tells an HTTP server that its session is over.
    pub(crate) fn close(&self) {
        match &self.wire {
            Wire::Stdio(wire) => wire.close(),
            Wire::Http(wire) => wire.close(),
        }
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
