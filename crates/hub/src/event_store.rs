//! What was sent on a session's streams, kept for a while, so that a client whose connection broke hears what it missed
//! (Streamable HTTP up to 2025-11-25, "Resumability and Redelivery").

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Events that one session keeps.
const EVENTS_MAX: usize = 128;
/// Their bytes; one event may be larger, then it is kept alone.
const BYTES_MAX: usize = 1024 * 1024;
/// Bytes that all sessions keep together.
pub(crate) const ALL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Streams of one session that are over or that nobody reads, kept for a client that comes back: as many as there can be
/// events of.
const STREAMS_LEFT_MAX: usize = EVENTS_MAX;
/// Those of all sessions together.
const ALL_STREAMS_LEFT_MAX: usize = 65_536;

/// What all sessions have in common.
#[derive(Debug)]
pub(crate) struct Keeping {
    /// For how long an event is kept, and a call whose client has gone goes on.
    pub(crate) window: Duration,
    /// Bytes kept by all sessions.
    bytes: AtomicUsize,
    /// Streams of all sessions that are kept though nobody reads them.
    streams_left: AtomicUsize,
}

/// A stream of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId {
    /// The session's own stream, or that of one call.
    pub of_call: bool,
    number: u64,
}

/// An event as its id names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// The stream it was sent on.
    pub stream: StreamId,
    /// Its place among all events of the session.
    pub place: u64,
}

/// One of the connections that a stream was read on; the last one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader(u64);

/// The events of one session.
#[derive(Debug, Default)]
pub struct EventStore {
    keeping: OnceLock<Arc<Keeping>>,
    kept: Mutex<Kept>,
    /// Something changed: an event came, a reader came or went, a stream ended.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    events: VecDeque<KeptEvent>,
    bytes: usize,
    streams: HashMap<StreamId, Stream>,
    /// As many of them as were counted among those that nobody reads.
    streams_left: usize,
    closed: bool,
}

#[derive(Debug)]
struct KeptEvent {
    place: u64,
    stream: StreamId,
    bytes: Bytes,
    at: Instant,
}

#[derive(Debug)]
struct Stream {
    reader: Reader,
    /// The place up to which the reader has taken events.
    read_to: u64,
    /// Since when nobody reads.
    left: Option<Instant>,
    ended: bool,
}

/// What there is for a reader.
#[derive(Debug)]
pub enum Missed {
    /// An event.
    Event(Bytes),
    /// Nothing yet.
    Nothing,
    /// The stream ended, another connection reads it, or the session is over.
    Over,
}

impl Keeping {
    pub(crate) fn new(window: Duration) -> Arc<Self> {
        Arc::new(Self { window, bytes: AtomicUsize::new(0), streams_left: AtomicUsize::new(0) })
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.stream.of_call { 'c' } else { 's' };
        write!(f, "{kind}{}-{}", self.stream.number, self.place)
    }
}

impl EventId {
    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (stream, place) = text.split_once('-')?;
        let (of_call, number) = match (stream.strip_prefix('c'), stream.strip_prefix('s')) {
            (Some(number), _) => (true, number),
            (None, number) => (false, number?),
        };
        Some(Self { stream: StreamId { of_call, number: number.parse().ok()? }, place: place.parse().ok()? })
    }
}

impl EventStore {
    pub(crate) fn share(&self, keeping: &Arc<Keeping>) {
        let _set_before = self.keeping.set(Arc::clone(keeping));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long events are kept; nothing is when it is zero.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.keeping.get().map_or(Duration::ZERO, |keeping| keeping.window)
    }

    /// Opens a stream, which its reader reads.
    pub fn open(&self, of_call: bool) -> (StreamId, Reader) {
        let mut kept = self.kept();
        kept.last += 1;
        let (id, reader) = (StreamId { of_call, number: kept.last }, Reader(kept.last));
        let stream = Stream { reader, read_to: kept.last, left: None, ended: false };
        kept.streams.insert(id, stream);
        (id, reader)
    }

    /// Keeps the next event of `stream`, which `make` writes under its id; the same bytes, for `by` to send.
    pub fn add(&self, stream: StreamId, by: Option<Reader>, make: impl FnOnce(EventId) -> Bytes) -> Bytes {
        let mut kept = self.kept();
        kept.last += 1;
        let place = kept.last;
        if let Some(found) = kept.streams.get_mut(&stream).filter(|stream| Some(stream.reader) == by) {
            found.read_to = place;
        }
        let bytes = make(EventId { stream, place });
        if let Some(keeping) = self.keeping.get().filter(|_| !kept.closed) {
            kept.keep(KeptEvent { place, stream, bytes: bytes.clone(), at: Instant::now() }, keeping);
        }
        drop(kept);
        self.changed.notify_waiters();
        bytes
    }

    /// An event id that stands for the beginning of `stream`.
    pub fn prime(&self, stream: StreamId) -> EventId {
        let mut kept = self.kept();
        kept.last += 1;
        EventId { stream, place: kept.last }
    }

    /// Takes over the reading of the stream after `last`; `None` when that stream is not known, or not any more.
    #[must_use]
    pub fn resume(&self, last: EventId) -> Option<Reader> {
        let mut kept = self.kept();
        kept.last += 1;
        let (reader, read_to) = (Reader(kept.last), last.place.min(kept.last));
        let stream = kept.streams.get_mut(&last.stream)?;
        *stream = Stream { reader, read_to, left: None, ended: stream.ended };
        kept.bound_streams(self.keeping.get());
        drop(kept);
        self.changed.notify_waiters();
        Some(reader)
    }

    /// Whether `reader` still is the one that reads `stream`.
    #[must_use]
    pub fn reads(&self, stream: StreamId, reader: Reader) -> bool {
        let kept = self.kept();
        !kept.closed && kept.streams.get(&stream).is_some_and(|stream| stream.reader == reader)
    }

    /// The next event that `reader` has not had.
    #[must_use]
    pub fn next(&self, id: StreamId, reader: Reader) -> Missed {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let Some(stream) = kept.streams.get_mut(&id).filter(|stream| stream.reader == reader && !kept.closed) else {
            return Missed::Over;
        };
        match kept.events.iter().find(|event| event.stream == id && event.place > stream.read_to) {
            Some(event) => {
                stream.read_to = event.place;
                self.changed.notify_waiters();
                Missed::Event(event.bytes.clone())
            }
            None if stream.ended => Missed::Over,
            None => Missed::Nothing,
        }
    }

    /// The reader is gone; `false` when it was no longer the one that counts.
    pub fn leave(&self, stream: StreamId, reader: Reader) -> bool {
        let mut kept = self.kept();
        let Some(found) = kept.streams.get_mut(&stream).filter(|stream| stream.reader == reader) else { return false };
        found.left = Some(Instant::now());
        kept.bound_streams(self.keeping.get());
        drop(kept);
        self.changed.notify_waiters();
        true
    }

    /// Nothing more comes on `stream`.
    pub fn end(&self, stream: StreamId) {
        let mut kept = self.kept();
        if let Some(found) = kept.streams.get_mut(&stream) {
            found.ended = true;
            found.left.get_or_insert_with(Instant::now);
            kept.bound_streams(self.keeping.get());
        }
        drop(kept);
        self.changed.notify_waiters();
    }

    /// Since when nobody reads `stream`, and how many kept events its reader has not had; `None` when it is gone.
    #[must_use]
    pub fn waiting(&self, id: StreamId) -> Option<(Option<Instant>, usize)> {
        let kept = self.kept();
        let stream = kept.streams.get(&id).filter(|_| !kept.closed)?;
        let unread = kept.events.iter().filter(|event| event.stream == id && event.place > stream.read_to).count();
        Some((stream.left, unread))
    }

    /// Returns when something changed after `look` was made.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Forgets what was kept for longer than the window.
    pub(crate) fn expire(&self) {
        let Some(keeping) = self.keeping.get() else { return };
        let Some(before) = Instant::now().checked_sub(keeping.window) else { return };
        let mut kept = self.kept();
        while kept.events.front().is_some_and(|event| event.at < before) {
            kept.drop_oldest(keeping);
        }
        kept.streams.retain(|id, stream| stream.left_over(*id).is_none_or(|left| left >= before));
        kept.bound_streams(Some(keeping));
        kept.events.shrink_to(EVENTS_MAX / 8);
        kept.streams.shrink_to(1);
    }

    /// The session is over.
    pub(crate) fn close(&self) {
        let mut kept = self.kept();
        kept.closed = true;
        if let Some(keeping) = self.keeping.get() {
            while kept.drop_oldest(keeping) {}
        }
        kept.streams.clear();
        kept.bound_streams(self.keeping.get());
        drop(kept);
        self.changed.notify_waiters();
    }
}

impl Stream {
    /// Since when it is kept for nothing but a client that comes back. A call that still runs is no such stream.
    fn left_over(&self, id: StreamId) -> Option<Instant> {
        self.left.filter(|_| self.ended || !id.of_call)
    }
}

impl Kept {
    /// Of streams that nobody reads the oldest are forgotten, of this session alone, until there are as many as may be: a
    /// client that opens and leaves streams without end keeps no more.
    fn bound_streams(&mut self, keeping: Option<&Arc<Keeping>>) {
        let Some(keeping) = keeping else { return };
        let left = |streams: &HashMap<StreamId, Stream>| {
            streams.iter().filter(|(id, stream)| stream.left_over(**id).is_some()).count()
        };
        let mut now = left(&self.streams);
        keeping.streams_left.fetch_add(now, Ordering::Relaxed);
        keeping.streams_left.fetch_sub(std::mem::replace(&mut self.streams_left, now), Ordering::Relaxed);
        while now > STREAMS_LEFT_MAX || now > 0 && keeping.streams_left.load(Ordering::Relaxed) > ALL_STREAMS_LEFT_MAX {
            let oldest = self.streams.iter().filter_map(|(id, stream)| Some((stream.left_over(*id)?, id.number, *id)));
            let Some((_, _, oldest)) = oldest.min_by_key(|(left, number, _)| (*left, *number)) else { return };
            self.streams.remove(&oldest);
            keeping.streams_left.fetch_sub(1, Ordering::Relaxed);
            (now, self.streams_left) = (now - 1, self.streams_left - 1);
        }
    }

    /// The oldest give way, of this session alone: what others keep is theirs.
    fn keep(&mut self, event: KeptEvent, keeping: &Keeping) {
        let more = event.bytes.len();
        while !self.events.is_empty() && (self.events.len() >= EVENTS_MAX || self.bytes + more > BYTES_MAX) {
            self.drop_oldest(keeping);
        }
        while keeping.bytes.fetch_add(more, Ordering::Relaxed) + more > ALL_BYTES_MAX {
            keeping.bytes.fetch_sub(more, Ordering::Relaxed);
            if !self.drop_oldest(keeping) {
                return;
            }
        }
        self.bytes += more;
        self.events.push_back(event);
    }

    fn drop_oldest(&mut self, keeping: &Keeping) -> bool {
        let Some(oldest) = self.events.pop_front() else { return false };
        self.bytes -= oldest.bytes.len();
        keeping.bytes.fetch_sub(oldest.bytes.len(), Ordering::Relaxed);
        true
    }
}

impl Drop for EventStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
