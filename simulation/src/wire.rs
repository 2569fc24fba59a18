//! A connection that breaks or stalls after so many bytes, or when its server goes down.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::watch;

use crate::book::OpenConnection;

/// After which the system finds a silent connection dead: what egress asks of TCP.
const FOUND_DEAD: Duration = Duration::from_secs(60);

/// What happens to a connection in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing.
    Whole,
    /// It breaks once this many bytes went through it.
    Breaks(usize),
    /// Nothing goes through it any more after this many bytes; after a while the system finds that the other end is gone.
    Stalls(usize),
}

/// The server's end of a connection.
#[derive(Debug)]
pub(crate) struct Wire {
    inner: Option<DuplexStream>,
    fate: Fate,
    passed: usize,
    down: Pin<Box<tokio_down::Down>>,
    dead: Option<Pin<Box<tokio::time::Sleep>>>,
}

/// The wait for the server to go down, which both directions look at.
mod tokio_down {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::sync::watch;

    type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

    pub(crate) struct Down(Waiting);

    impl std::fmt::Debug for Down {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Down")
        }
    }

    impl Down {
        pub(crate) fn new(mut lives: watch::Receiver<u64>) -> Self {
            Self(Box::pin(async move {
                let now = *lives.borrow_and_update();
                drop(lives.wait_for(|life| *life != now).await);
            }))
        }

        pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx)
        }
    }
}

impl Wire {
    /// `lives` counts up when the server goes down: its connections break then.
    pub(crate) fn new(inner: DuplexStream, fate: Fate, lives: watch::Receiver<u64>) -> Self {
        let down = Box::pin(tokio_down::Down::new(lives));
        Self { inner: Some(inner), fate, passed: 0, down, dead: None }
    }

    /// Whether bytes may pass at this moment, and how many.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let broken = || Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        if self.inner.is_none() {
            return broken();
        }
        let down = self.down.poll(cx).is_ready();
        match self.fate {
            _ if down => {}
            Fate::Breaks(after) if self.passed >= after => {}
            // The wait for the server's end, just polled, wakes it too.
            Fate::Stalls(after) if self.passed >= after => {
                let dead = self.dead.get_or_insert_with(|| Box::pin(tokio::time::sleep(FOUND_DEAD)));
                std::task::ready!(dead.as_mut().poll(cx));
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
