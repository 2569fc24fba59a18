//! The streams of one HTTP/2 connection: how many are open, and whether one of them is not read.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::Notify;

use crate::http::body::Body;

/// Requests that a client may take back within a window (rapid reset, CVE-2023-44487).
const GIVEN_UP_MAX: usize = 256;
/// The window.
const GIVEN_UP_WINDOW: Duration = Duration::from_secs(60);

/// Streams whose answer is not wholly given to the connection.
#[derive(Debug)]
pub(crate) struct Streams {
    open: Mutex<Open>,
    /// Too many were given up.
    abused: Notify,
}

#[derive(Debug)]
struct Open {
    streams: Vec<Weak<Stream>>,
    /// Since when there is none.
    idle_since: Instant,
    /// Requests that the client took back before they were answered, and since when they are counted.
    given_up: (usize, Instant),
}

#[derive(Debug, Default)]
struct Stream {
    /// Since when a piece waits for the client to take it.
    waiting_since: Mutex<Option<Instant>>,
}

/// One stream, from its request to the end of its answer.
pub(crate) struct Turn {
    stream: Arc<Stream>,
    streams: Arc<Streams>,
    answered: bool,
}

/// The body of an answer on such a stream.
pub(crate) struct TurnBody {
    body: Body,
    turn: Turn,
}

impl Streams {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let open = Open { streams: Vec::new(), idle_since: now, given_up: (0, now) };
        Self { open: Mutex::new(open), abused: Notify::new() }
    }

    /// A request came.
    pub(crate) fn begin(self: &Arc<Self>) -> Turn {
        let stream = Arc::<Stream>::default();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).streams.push(Arc::downgrade(&stream));
        Turn { stream, streams: Arc::clone(self), answered: false }
    }

    /// Returns when the client opened and reset too many streams.
    pub(crate) async fn abused(&self) {
        self.abused.notified().await;
    }

    /// Why the connection has to go: nothing is done on it, or one of its answers is not taken, for `patience`.
    pub(crate) fn is_over(&self, patience: Duration) -> Option<&'static str> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.streams.retain(|stream| stream.strong_count() > 0);
        if open.streams.is_empty() {
            return (open.idle_since.elapsed() > patience).then_some("nothing was asked on it");
        }
        let stalled = open.streams.iter().filter_map(Weak::upgrade).any(|stream| {
            let since = *stream.waiting_since.lock().unwrap_or_else(PoisonError::into_inner);
            since.is_some_and(|since| since.elapsed() > patience)
        });
        stalled.then_some("an answer was not taken")
    }
}

impl Turn {
    /// The answer goes out.
    pub(crate) fn answer(mut self, body: Body) -> TurnBody {
        self.answered = true;
        self.waits(true);
        TurnBody { body, turn: self }
    }

    fn waits(&self, waits: bool) {
        *self.stream.waiting_since.lock().unwrap_or_else(PoisonError::into_inner) = waits.then(Instant::now);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        open.idle_since = now;
        if self.answered {
            return;
        }
        let (count, since) = open.given_up;
        open.given_up = if now - since > GIVEN_UP_WINDOW { (1, now) } else { (count + 1, since) };
        if open.given_up.0 > GIVEN_UP_MAX {
            self.streams.abused.notify_one();
        }
    }
}

impl http_body::Body for TurnBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // The connection asks for more when the client has room for it, and not before.
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.turn.waits(polled.is_ready());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
