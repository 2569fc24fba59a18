//! One conversation with a server: a process or an HTTP session, in one revision of the protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use omni_protocol::{Message, Version, notification};
use omni_types::{Fault, ServerName};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::bulkhead::{Account, Place};
use crate::error::LinkError;
use crate::health::{Health, is_failure};
use crate::hello::Hello;
use crate::profile::LinkKey;
use crate::resilience::Resilience;
use crate::spec::ServerSpec;
use crate::watch_channel;
use crate::wire::Wire;

/// Messages to a server behind HTTP that nobody waits for, at a time.
const ASIDES_MAX: usize = 64;

/// One conversation with a server.
#[derive(Debug)]
pub struct Link {
    server: ServerName,
    key: LinkKey,
    hello: Hello,
    wire: Wire,
    resilience: Resilience,
    pub(crate) health: Arc<Health>,
    /// Whether its end was told to the breaker: one end, however many calls it ends.
    end_counted: AtomicBool,
    /// Messages that had come on the channel when the breaker opened the last time.
    heard_at_opening: AtomicU64,
    next_id: AtomicU64,
    in_flight: AtomicUsize,
    began: Instant,
    /// Milliseconds from `began` to the end of the last call.
    last_used_ms: AtomicU64,
    streaming: AtomicBool,
    /// The rank of the most telling log level that was asked for on it; none yet is above all.
    log_level: AtomicU8,
    /// Whether clients wait for what is said on it.
    watched: AtomicBool,
    /// Messages on their way that nobody waits for.
    asides: Arc<Semaphore>,
}

impl Link {
    pub(crate) fn new(
        of: (&ServerSpec, &Arc<Health>),
        key: LinkKey,
        hello: Hello,
        wire: Wire,
        first_id: u64,
    ) -> Arc<Self> {
        let (spec, health) = of;
        Arc::new(Self {
            server: spec.name.clone(),
            key,
            hello,
            wire,
            resilience: spec.resilience,
            health: Arc::clone(health),
            end_counted: AtomicBool::new(false),
            heard_at_opening: AtomicU64::new(u64::MAX),
            next_id: AtomicU64::new(first_id),
            in_flight: AtomicUsize::new(0),
            began: Instant::now(),
            last_used_ms: AtomicU64::new(0),
            streaming: AtomicBool::new(false),
            log_level: AtomicU8::new(u8::MAX),
            watched: AtomicBool::new(false),
            asides: Arc::new(Semaphore::new(ASIDES_MAX)),
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
        matches!(self.wire, Wire::Channel(_))
    }

    /// Whether nobody can say whose a question on it is, because of a call that was let go.
    pub(crate) fn is_in_doubt(&self) -> bool {
        match &self.wire {
            Wire::Channel(channel) => channel.is_in_doubt(),
            Wire::Http(_) => false,
        }
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
            Wire::Channel(channel) => channel.is_alive(),
            Wire::Http(wire) => wire.is_alive(),
        }
    }

    /// A place at its server for a call that goes on there, as [`Server::enter`](crate::Server::enter) gives it to one that begins.
    ///
    /// # Errors
    /// When the breaker is open, the places are taken and the queue is full, or the server was stopped.
    pub async fn enter(&self, account: impl FnOnce() -> Account) -> Result<Place, LinkError> {
        self.health.enter(account).await
    }

    /// Returns when it cannot be used any more.
    pub(crate) async fn ended(&self) {
        match &self.wire {
            Wire::Channel(channel) => channel.ended().await,
            Wire::Http(wire) => wire.ended().await,
        }
    }

    /// Tells of every session that the server opens in the place of one that it lost.
    pub(crate) fn sessions(&self) -> watch_channel::Receiver<u64> {
        match &self.wire {
            Wire::Http(wire) => wire.sessions(),
            // A channel is one session from its beginning to its end: nobody is there who would tell of another one.
            Wire::Channel(_) => watch_channel::channel(0).1,
        }
    }

    /// Whether clients wait for what is said on it: then it does not count as idle.
    pub(crate) fn watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    /// How long it has served nobody.
    #[must_use]
    pub fn idle_for(&self) -> Duration {
        if self.in_flight() > 0 || self.watched.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last_used_ms.load(Ordering::Relaxed)))
    }

    pub(crate) fn call_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn call_ends(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_used_ms.store(now, Ordering::Relaxed);
    }

    /// Sends a notification, or the answer to a request of the server's.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn send(&self, message: Bytes) -> Result<(), LinkError> {
        let sending = async {
            match &self.wire {
                Wire::Channel(channel) => channel.write(message).await,
                Wire::Http(wire) => wire.send(message).await,
            }
        };
        let late = LinkError::Timeout { seconds: self.timeout().as_secs() };
        tokio::time::timeout(self.timeout(), sending).await.unwrap_or(Err(late))
    }

    /// Sends an answer that nobody waits for, in the background; it is dropped when too many are on their way.
    pub fn send_if_room(self: &Arc<Self>, message: Bytes) {
        if let Wire::Channel(channel) = &self.wire {
            return channel.write_if_room(message);
        }
        let (Ok(slot), Ok(runtime)) =
            (Arc::clone(&self.asides).try_acquire_owned(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let link = Arc::clone(self);
        runtime.spawn(async move {
            if let Err(error) = link.send(message).await {
                tracing::debug!(server = %link.server, %error, "an answer to the server was not delivered");
            }
            drop(slot);
        });
    }

    pub(crate) fn cancel(self: &Arc<Self>, id: u64) {
        let params = format!(r#"{{"requestId":{id},"reason":"the client let go of the call"}}"#);
        let message = Bytes::from(notification("notifications/cancelled", Some(&params)));
        match &self.wire {
            Wire::Channel(channel) => channel.write_if_room(message),
            // Over HTTP the closed stream says it to a server of 2026-07-28; an earlier one has to be told.
            Wire::Http(_) if self.version() == Version::V2026_07_28 => {}
            Wire::Http(http) => {
                http.let_go(id);
                self.send_if_room(message);
            }
        }
    }

    /// How long a call may stay without an answer or a sign of progress.
    pub(crate) const fn timeout(&self) -> Duration {
        self.resilience.timeout
    }

    /// How long a call may last, whatever progress its server tells of.
    pub(crate) const fn longest(&self) -> Duration {
        self.resilience.longest
    }

    /// The fault of a call on it that failed with `error`.
    #[must_use]
    pub fn fault(&self, error: &LinkError) -> Fault {
        self.health.fault(&self.server, error)
    }

    /// Tells the breaker what became of a call that began in `epoch`.
    pub(crate) fn settle<T>(&self, epoch: u64, outcome: &Result<T, LinkError>) {
        match outcome {
            Ok(_) => self.health.breaker.succeeded(epoch),
            Err(error) if is_failure(error) => {
                let by_its_end = matches!(error, LinkError::Ended { .. } | LinkError::Disconnected { .. });
                if by_its_end && self.end_counted.swap(true, Ordering::AcqRel) {
                    return;
                }
                if self.health.breaker.failed(epoch, error) {
                    tracing::warn!(server = %self.server, %error, "its calls keep failing: the breaker is open");
                    self.end_if_mute(error);
                }
            }
            Err(_) => {}
        }
    }

    /// A process that said nothing at all from one opening of the breaker to the next, while calls tried it out, hangs for
    /// good: it is ended, and the next call starts another.
    fn end_if_mute(&self, error: &LinkError) {
        let Wire::Channel(channel) = &self.wire else { return };
        let heard = channel.heard();
        let before = self.heard_at_opening.swap(heard, Ordering::Relaxed);
        if matches!(error, LinkError::Timeout { .. }) && before == heard {
            tracing::warn!(server = %self.server, "it has fallen silent: it is ended, and started anew by the next call");
            self.close();
        }
    }

    /// Whether the log level of rank `rank` tells more than any that was asked for on this link; it counts as asked then.
    #[must_use]
    pub fn lowers_level(&self, rank: u8) -> bool {
        self.log_level.fetch_min(rank, Ordering::Relaxed) > rank
    }

    /// `true` the first time it is asked: whoever asked opens the stream of what the server says on its own.
    pub(crate) fn claim_stream(&self) -> bool {
        !self.streaming.swap(true, Ordering::Relaxed)
    }

    /// Gives a message of the session's own stream to its call; what belongs to none comes back.
    pub(crate) fn give(&self, message: Message) -> Option<Message> {
        // A client with a session of its own hears such things on its own stream, as it would directly.
        let only_call = self.key.session.is_none() && self.in_flight() == 1;
        match &self.wire {
            Wire::Http(http) => http.give(message, only_call),
            Wire::Channel(_) => Some(message),
        }
    }

    pub(crate) const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Ends the conversation: closes a process's standard input, tells an HTTP server that its session is over.
    pub(crate) fn close(&self) {
        self.wire.close();
    }
}
