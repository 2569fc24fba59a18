//! The byte stream of one connection, with TLS or without.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::dial::Io;

/// The stream of one connection.
pub(crate) enum Stream {
    /// TCP alone.
    Plain(TcpStream),
    /// TLS. It is many times as large.
    Tls(Box<TlsStream<TcpStream>>),
    /// What another dialer made. Never locked: it is this that makes it fit to be told of in several threads.
    Other(Mutex<Box<dyn Io>>),
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Tls(_) => "Tls",
            Self::Other(_) => "Other",
        })
    }
}

impl Stream {
    /// Whether the other end has neither closed the connection nor said anything unasked. It does not wait.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0u8; 1];
        match self {
            // Where nothing was reported by the kernel this makes no system call.
            Self::Plain(stream) => {
                matches!(stream.try_read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
            }
            Self::Tls(stream) => waits(Pin::new(stream.as_mut()), &mut byte),
            Self::Other(stream) => waits(Pin::new(unlocked(stream)), &mut byte),
        }
    }
}

fn unlocked(stream: &mut Mutex<Box<dyn Io>>) -> &mut Box<dyn Io> {
    stream.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn waits(stream: Pin<&mut impl AsyncRead>, byte: &mut [u8]) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    stream.poll_read(&mut context, &mut ReadBuf::new(byte)).is_pending()
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Self::Other(stream) => Pin::new(unlocked(stream)).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Self::Other(stream) => Pin::new(unlocked(stream)).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
            Self::Other(stream) => Pin::new(unlocked(stream)).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Other(_) => false,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Self::Other(stream) => Pin::new(unlocked(stream)).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Self::Other(stream) => Pin::new(unlocked(stream)).poll_shutdown(cx),
        }
    }
}
