//! The socket below HTTP, with deadlines that HTTP has none for: a client that takes nothing, and one that sends
//! everything but requests.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Bytes that a connection may send within a window beside its requests and their bodies. HTTP/2 needs some: pings,
/// acknowledgments, window updates, and bodies ahead of their reader.
const ASIDE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The window.
const ASIDE_WINDOW: Duration = Duration::from_secs(60);

/// What a connection sent, and what for.
#[derive(Debug)]
pub(crate) struct Budget(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    read: u64,
    used: u64,
    since: Instant,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Counted { read: 0, used: 0, since: Instant::now() }))
    }

    /// So many bytes were a request's.
    pub(crate) fn used(&self, bytes: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).used += bytes as u64;
    }

    /// So many bytes came; `false` when too many of them were nothing that anybody asked for.
    fn read(&self, bytes: usize) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.read += bytes as u64;
        if counted.read <= counted.used + ASIDE_BYTES_MAX {
            return true;
        }
        if counted.since.elapsed() < ASIDE_WINDOW {
            return false;
        }
        *counted = Counted { read: bytes as u64, used: 0, since: Instant::now() };
        true
    }
}

/// A client's socket.
pub(crate) struct Paced<S, B> {
    stream: S,
    patience: Duration,
    /// Runs while the client takes nothing of what there is for it.
    stalled: Option<Pin<Box<Sleep>>>,
    budget: B,
    /// Bytes that were read already, for a reader that begins there.
    ahead: Bytes,
}

/// What counts the bytes that come.
pub(crate) trait Counts: Unpin {
    /// Whether so many more are all right.
    fn read(&self, bytes: usize) -> bool;
}

/// HTTP/1.1 and WebSocket read nothing that is not a request's or a message's.
impl Counts for () {
    fn read(&self, _: usize) -> bool {
        true
    }
}

impl Counts for std::sync::Arc<Budget> {
    fn read(&self, bytes: usize) -> bool {
        Budget::read(self, bytes)
    }
}

/// A peer that vanished acknowledges nothing: the kernel need not try for a quarter of an hour.
pub(crate) fn give_up_after(stream: &TcpStream, patience: Duration) {
    let _unsupported = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(patience));
}

impl<S, B> Paced<S, B> {
    /// `stream`, given up when its client takes nothing for `patience`.
    pub(crate) fn new(stream: S, patience: Duration, budget: B) -> Self {
        Self { stream, patience, stalled: None, budget, ahead: Bytes::new() }
    }

    /// The same, read from `bytes` on, which came before what comes.
    pub(crate) fn ahead(self, bytes: Bytes) -> Self {
        Self { ahead: bytes, ..self }
    }

    fn written<T>(&mut self, outcome: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing of its answer")))
    }
}

impl<S: AsyncRead + Unpin, B: Counts> AsyncRead for Paced<S, B> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let some = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.split_to(some));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.budget.read(buf.filled().len() - before) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the client sent too much beside its requests")))
    }
}

impl<S: AsyncWrite + Unpin, B: Unpin> AsyncWrite for Paced<S, B> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use tokio::net::{TcpListener, TcpStream};

    use super::{ASIDE_BYTES_MAX, Budget, give_up_after};

    #[tokio::test]
    async fn gw_1_a_peer_that_vanished_is_given_up_by_the_kernel() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let accepted = listener.accept().await.unwrap().0;
        give_up_after(&accepted, Duration::from_secs(7));
        let set = socket2::SockRef::from(&accepted).tcp_user_timeout().unwrap();
        assert_eq!(set, Some(Duration::from_secs(7)));
    }

    #[test]
    fn gw_1_what_is_no_request_is_bounded_and_requests_are_not() {
        let most = usize::try_from(ASIDE_BYTES_MAX).unwrap_or(usize::MAX);
        let budget = Budget::new();
        for _ in 0..100 {
            budget.used(most);
            assert!(budget.read(most));
        }
        assert!(budget.read(most));
        assert!(!budget.read(1));
    }
}
