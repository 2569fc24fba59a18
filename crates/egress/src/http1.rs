//! HTTP/1.1 as a client, one exchange at a time, driven by the task that calls: no task of its own, no channel between.

mod chunks;
mod head;
#[cfg(test)]
mod tests;

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, ReadBuf};

use crate::http1::chunks::Piece;
use crate::http1::head::Heads;
pub(crate) use crate::http1::head::{Framing, Head};
use crate::stream::Stream;

/// Bytes that are read at a time. They are read into the stack, so that what is kept of them is as long as they are.
const READ_BYTES: usize = 8 * 1024;
/// Room made before a read in the middle of a body that is longer than that.
const READ_BODY_BYTES: usize = 64 * 1024;
/// A body up to this size is copied behind its head; a longer one is written from where it is.
const COPIED_BODY_MAX: usize = 16 * 1024;
/// What an idle connection keeps of the memory it wrote from, and of that it read into.
const KEPT_BYTES_MAX: usize = 4 * 1024;
/// Answers of status 1xx before the real one.
const INFORMATIONAL_MAX: usize = 16;
/// Room made at once for a body whose length is known.
const BODY_AT_ONCE_MAX: u64 = 1024 * 1024;

/// One connection.
#[derive(Debug)]
pub(crate) struct Http1 {
    io: Stream,
    inbox: BytesMut,
    outbox: Vec<u8>,
    heads: Heads,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// Nothing of the request went out: it may be sent again.
    Unsent,
    /// Something did, and then this happened.
    Broken(String),
}

/// How far a request went out.
enum Sent {
    Whole,
    /// The server speaks before it has the request: it will not read the rest.
    Partly,
}

impl Http1 {
    pub(crate) fn new(io: Stream) -> Self {
        Self { io, inbox: BytesMut::new(), outbox: Vec::new(), heads: Heads::default() }
    }

    /// Whether it can serve the next request: the server has neither closed it nor said anything unasked.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.inbox.is_empty() && self.io.is_quiet()
    }

    /// Sends a request, its head written by `write_head`, and reads the head of its answer.
    pub(crate) async fn exchange(
        &mut self,
        write_head: impl FnOnce(&mut Vec<u8>),
        body: &Bytes,
    ) -> Result<Head, ExchangeError> {
        self.outbox.clear();
        write_head(&mut self.outbox);
        let apart: &[u8] = if body.len() <= COPIED_BODY_MAX {
            self.outbox.extend_from_slice(body);
            &[]
        } else {
            body
        };
        let mut count = 0;
        let sent = std::future::poll_fn(|cx| self.poll_send(cx, &mut count, apart)).await;
        if self.outbox.capacity() > KEPT_BYTES_MAX {
            self.outbox = Vec::new();
        }
        let whole = match sent {
            Ok(Sent::Whole) => true,
            Ok(Sent::Partly) => false,
            Err(_) if count == 0 => return Err(ExchangeError::Unsent),
            // What the server said before it closed may still be there to read.
            Err(error) => {
                let mut head = self.head().await.map_err(|_| ExchangeError::Broken(error.to_string()))?;
                head.keeps = false;
                return Ok(head);
            }
        };
        let mut head = self.head().await.map_err(ExchangeError::Broken)?;
        head.keeps &= whole;
        Ok(head)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, count: &mut usize, apart: &[u8]) -> Poll<std::io::Result<Sent>> {
        let head = self.outbox.len();
        while *count < head + apart.len() {
            let io = Pin::new(&mut self.io);
            let written = match (self.outbox.get(*count..), apart.get(count.saturating_sub(head)..)) {
                (Some(first), Some(second)) if !first.is_empty() && !second.is_empty() => {
                    io.poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(second)])
                }
                (Some(first), _) if !first.is_empty() => io.poll_write(cx, first),
                (_, second) => io.poll_write(cx, second.unwrap_or_default()),
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => *count += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // A server that answers before it has read all would wait for us as we for it.
                Poll::Pending => {
                    let said = ready!(self.poll_fill(cx, READ_BYTES))?;
                    if said == 0 {
                        return Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into()));
                    }
                    return Poll::Ready(Ok(Sent::Partly));
                }
            }
        }
        Pin::new(&mut self.io).poll_flush(cx).map_ok(|()| Sent::Whole)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<std::io::Result<usize>> {
        if room > READ_BYTES {
            self.inbox.reserve(room);
            return pin!(self.io.read_buf(&mut self.inbox)).poll(cx);
        }
        let mut room = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut came = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut came))?;
        self.inbox.extend_from_slice(came.filled());
        Poll::Ready(Ok(came.filled().len()))
    }

    async fn head(&mut self) -> Result<Head, String> {
        let mut informational = 0;
        loop {
            if let Some(head) = self.heads.take(&mut self.inbox)? {
                if head.status == http::StatusCode::SWITCHING_PROTOCOLS {
                    return Err("it changed the protocol unasked".to_owned());
                }
                if !head.status.is_informational() {
                    return Ok(head);
                }
                informational += 1;
                if informational > INFORMATIONAL_MAX {
                    return Err("it sent status 1xx again and again".to_owned());
                }
                continue;
            }
            match std::future::poll_fn(|cx| self.poll_fill(cx, READ_BYTES)).await {
                Ok(0) => return Err("it closed the connection before it answered".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// The next piece of the body; `None` after its end.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        framing: &mut Framing,
    ) -> Poll<Option<Result<Bytes, String>>> {
        loop {
            let mut room = READ_BYTES;
            match framing {
                Framing::Length(0) => return Poll::Ready(None),
                Framing::Length(left) => {
                    let there = usize::try_from(*left).unwrap_or(usize::MAX).min(self.inbox.len());
                    if there > 0 {
                        *left -= there as u64;
                        return Poll::Ready(Some(Ok(self.inbox.split_to(there).freeze())));
                    }
                    room = usize::try_from(*left).unwrap_or(usize::MAX).clamp(READ_BYTES, READ_BODY_BYTES);
                }
                Framing::Chunked(chunks) => match chunks.take(&mut self.inbox) {
                    Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(data))),
                    Ok(Piece::End) => return Poll::Ready(None),
                    Ok(Piece::Wait) => {}
                    Err(why) => return Poll::Ready(Some(Err(why))),
                },
                Framing::UntilClose if !self.inbox.is_empty() => {
                    return Poll::Ready(Some(Ok(self.inbox.split().freeze())));
                }
                Framing::UntilClose => {}
            }
            match ready!(self.poll_fill(cx, room)) {
                Ok(0) if matches!(framing, Framing::UntilClose) => return Poll::Ready(None),
                Ok(0) => return Poll::Ready(Some(Err("it closed the connection within its answer".to_owned()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.to_string()))),
            }
        }
    }

    fn shrink(&mut self) {
        if self.inbox.is_empty() && self.inbox.capacity() > KEPT_BYTES_MAX {
            self.inbox = BytesMut::new();
        }
    }

    /// Reads a body of `length` bytes into one piece of memory.
    pub(crate) async fn whole(&mut self, length: u64) -> Result<Bytes, String> {
        let wanted = usize::try_from(length).map_err(|_| "its answer is too long".to_owned())?;
        if self.inbox.len() >= wanted {
            let body = Bytes::copy_from_slice(&self.inbox[..wanted]);
            self.inbox.advance(wanted);
            self.shrink();
            return Ok(body);
        }
        // The length is what the server says: room is made for what comes, not for all it announces. There is room for one
        // byte more than that: what fills less than there is room for was all that had come, and need not be asked about.
        let room = usize::try_from(length.min(BODY_AT_ONCE_MAX)).unwrap_or(READ_BYTES);
        let mut body = BytesMut::with_capacity(room + 1);
        body.extend_from_slice(&self.inbox);
        self.inbox.clear();
        self.shrink();
        while body.len() < wanted {
            if body.capacity() == body.len() {
                body.reserve(body.len().min(wanted - body.len()) + 1);
            }
            match self.io.read_buf(&mut body).await {
                Ok(0) => return Err("it closed the connection within its answer".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        // What is said unasked makes the connection one that is not used again.
        self.inbox.extend_from_slice(&body[wanted..]);
        body.truncate(wanted);
        Ok(body.freeze())
    }
}
