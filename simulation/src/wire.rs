//! A connection that breaks or stalls after so many bytes, or when its server goes down.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::book::OpenConnection;
use crate::lives::Lives;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What happens to a connection in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Whole,
    /// It breaks once this many bytes went through it.
    Breaks(usize),
    /// Nothing goes through it any more after this many bytes.
    Stalls(usize),
}

/// After which the system finds a silent connection dead: what egress asks of TCP.
const NOTICED: Duration = Duration::from_secs(60);

/// The server's end of a connection.
#[derive(Debug)]
pub(crate) struct Wire {
    inner: Option<DuplexStream>,
    fate: Fate,
    passed: usize,
    down: Down,
    /// Once nothing goes wrong any more, what stalled is told at once.
    calm: Down,
    noticed: Option<Pin<Box<tokio::time::Sleep>>>,
}

/// The wait for the server to go down, which both directions look at.
struct Down(Pin<Box<dyn Future<Output = ()> + Send>>);

impl std::fmt::Debug for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Down")
    }
}

impl Wire {
    /// It breaks when one of the server's `lives` ends.
    pub(crate) fn new(inner: DuplexStream, fate: Fate, lives: &Arc<Lives>, calm: &Arc<Lives>) -> Self {
        let down = |lives: &Arc<Lives>| Down(Box::pin(lives.end()));
        Self { inner: Some(inner), fate, passed: 0, down: down(lives), calm: down(calm), noticed: None }
    }

    /// Whether bytes may pass at this moment, and how many.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let broken = || Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        if self.inner.is_none() {
            return broken();
        }
        let down = self.down.0.as_mut().poll(cx).is_ready();
        match self.fate {
            _ if down => {}
            Fate::Breaks(after) if self.passed >= after => {}
            // The wait for the server's end, just polled, wakes it, or TCP, which notices that nobody is there.
            Fate::Stalls(after) if self.passed >= after => {
                let noticed = self.noticed.get_or_insert_with(|| Box::pin(tokio::time::sleep(NOTICED)));
                if noticed.as_mut().poll(cx).is_pending() && self.calm.0.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            Fate::Breaks(after) | Fate::Stalls(after) => return Poll::Ready(Ok(after - self.passed)),
            Fate::Whole => return Poll::Ready(Ok(usize::MAX)),
        }
        self.inner = None;
        broken()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = match self.open(cx) {
            Poll::Ready(Ok(room)) => room,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        let mut bytes = vec![0; room.min(buf.remaining())];
        let mut part = ReadBuf::new(&mut bytes);
        let Some(inner) = self.inner.as_mut() else { return Poll::Pending };
        let done = Pin::new(inner).poll_read(cx, &mut part);
        let read = part.filled().len();
        buf.put_slice(part.filled());
        self.passed += read;
        done
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let room = match self.open(cx) {
            Poll::Ready(Ok(room)) => room,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        let Some(inner) = self.inner.as_mut() else { return Poll::Pending };
        let done = Pin::new(inner).poll_write(cx, &bytes[..room.min(bytes.len())]);
        if let Poll::Ready(Ok(written)) = done {
            self.passed += written;
        }
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.inner.as_mut() {
            Some(inner) => Pin::new(inner).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.inner.as_mut() {
            Some(inner) => Pin::new(inner).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// The hub's end of a connection, counted while the hub holds it.
#[derive(Debug)]
pub(crate) struct Near {
    pub(crate) inner: DuplexStream,
    pub(crate) _open: OpenConnection,
}

impl AsyncRead for Near {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Near {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
