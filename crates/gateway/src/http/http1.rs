//! HTTP/1.1 as a server, for requests of the plain form (`head.rs` says which); a connection on which another one comes
//! is handed to hyper, with every byte of it.

#[cfg(test)]
mod agree;
mod date;
mod deadline;
mod head;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Response, header};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::watch;

use crate::http::body::Body;
use crate::http::http1::deadline::Deadline;
use crate::http::http1::head::{Found, Plain, Reader};
use crate::http::http1::write::Outbox;
use crate::http::incoming::{Awaited, RequestBody};
use crate::http::shared::GatewayLimits;

/// Bytes that are read at a time. They are read into the stack, so that a connection that waits holds no buffer.
const READ_BYTES: usize = 8 * 1024;
/// Memory that a connection keeps between two requests.
const KEPT_BYTES_MAX: usize = 4 * 1024;
/// Most room made at once for a body that is still on its way: what is announced is not what comes.
const BODY_AT_ONCE_MAX: usize = 64 * 1024;

/// A connection that hyper has to go on with.
pub(crate) struct Handed<S> {
    pub(crate) stream: S,
    /// What was read of the request that is not plain.
    pub(crate) ahead: Bytes,
}

/// A connection.
struct Connection<S> {
    stream: S,
    /// What came and was not taken.
    inbox: BytesMut,
    /// The body that is on its way.
    coming: Option<Coming>,
    outbox: Outbox,
    deadline: Deadline,
}

/// A body of which some is still to be read. None of it is before it is asked for.
struct Coming {
    body: BytesMut,
    wanted: usize,
    awaited: Awaited,
}

/// What comes next.
enum Next {
    /// A request whose head is the one that the reader holds.
    Request(Plain),
    /// Something else.
    Other,
    /// Nothing.
    End,
}

/// Serves plain requests by `answer`; `Some` when one comes that is none.
pub(crate) async fn serve<S, F>(
    stream: S,
    limits: &GatewayLimits,
    mut stopping: watch::Receiver<bool>,
    answer: impl Fn(Arc<Parts>, RequestBody) -> F,
) -> io::Result<Option<Handed<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Response<Body>>,
{
    let deadline = Deadline::new(limits.header_timeout);
    let mut connection =
        Connection { stream, inbox: BytesMut::new(), coming: None, outbox: Outbox::default(), deadline };
    let mut reader = Reader::new(limits.body_bytes_max);
    loop {
        connection.deadline.put_off(limits.header_timeout);
        let plain = match connection.next(&mut reader, &mut stopping).await? {
            Next::Request(plain) => plain,
            Next::Other => return Ok(Some(Handed { stream: connection.stream, ahead: connection.inbox.freeze() })),
            Next::End => break,
        };
        let body = connection.body(plain);
        let Some(head) = reader.parts() else { break };
        let Some(response) = connection.unless_gone(answer(head, body)).await else { break };
        if !connection.respond(response, &stopping).await? {
            break;
        }
    }
    connection.stream.shutdown().await?;
    Ok(None)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut came = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut came))?;
        self.inbox.extend_from_slice(came.filled());
        Poll::Ready(Ok(came.filled().len()))
    }

    /// Waits for the head of a request.
    async fn next(&mut self, reader: &mut Reader, stopping: &mut watch::Receiver<bool>) -> io::Result<Next> {
        let heard = stopping.clone();
        let mut stop = pin!(stopping.wait_for(|stop| *stop));
        // What is to be heard once is asked once, and again only where something has changed.
        let (mut asks, mut stops) = (true, false);
        std::future::poll_fn(|cx| {
            loop {
                match reader.read(&self.inbox) {
                    Found::Plain(plain) => return Poll::Ready(Ok(Next::Request(plain))),
                    Found::Other => return Poll::Ready(Ok(Next::Other)),
                    Found::Part => {}
                }
                match self.poll_fill(cx) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Ok(Next::End)),
                    Poll::Ready(Ok(_)) => continue,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
                if !stops && (asks || heard.has_changed().unwrap_or(true)) {
                    asks = false;
                    stops = stop.as_mut().poll(cx).is_ready();
                }
                // A request that has begun to come is still answered.
                if stops && self.inbox.is_empty() {
                    return Poll::Ready(Ok(Next::End));
                }
                return self.deadline.poll(cx).map(|()| Ok(Next::End));
            }
        })
        .await
    }

    /// Takes the head away, and of the body behind it what came.
    fn body(&mut self, plain: Plain) -> RequestBody {
        self.inbox.advance(plain.head_bytes);
        let there = self.inbox.len().min(plain.body_bytes);
        let whole = there == plain.body_bytes;
        let body = if whole {
            RequestBody::Whole(Bytes::copy_from_slice(&self.inbox[..there]))
        } else {
            let awaited = Awaited::default();
            let body = BytesMut::from(&self.inbox[..there]);
            self.coming = Some(Coming { body, wanted: plain.body_bytes, awaited: awaited.clone() });
            RequestBody::Awaited(awaited)
        };
        self.inbox.advance(there);
        self.shrink();
        body
    }

    /// Reads the rest of the body.
    fn poll_coming(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Coming { body, wanted, awaited }) = &mut self.coming else { return Poll::Ready(Ok(())) };
        while body.len() < *wanted {
            let left = *wanted - body.len();
            if body.capacity() == body.len() {
                body.reserve(body.len().clamp(READ_BYTES, BODY_AT_ONCE_MAX).min(left));
            }
            let mut rest = (&mut self.stream).take(left as u64);
            if ready!(pin!(rest.read_buf(body)).poll(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        awaited.give(std::mem::take(body).freeze());
        self.coming = None;
        Poll::Ready(Ok(()))
    }

    fn shrink(&mut self) {
        if self.inbox.is_empty() {
            self.inbox = BytesMut::new();
        }
    }

    /// Does `work`, gives it the body when it asks for that, and lets go of it when the client leaves: nobody wants it then.
    async fn unless_gone<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| {
            loop {
                if let Poll::Ready(done) = work.as_mut().poll(cx) {
                    return Poll::Ready(Some(done));
                }
                match self.coming.as_ref().map(|coming| coming.awaited.is_asked()) {
                    None => break,
                    Some(false) => return Poll::Pending,
                    Some(true) => match ready!(self.poll_coming(cx)) {
                        Ok(()) => {}
                        Err(_) => return Poll::Ready(None),
                    },
                }
            }
            // The next request may come early; more than that is left in the kernel.
            while self.inbox.is_empty() {
                match ready!(self.poll_fill(cx)) {
                    Ok(0) | Err(_) => return Poll::Ready(None),
                    Ok(_) => {}
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Sends the answer; `false` when the connection ends with it.
    async fn respond(&mut self, response: Response<Body>, stopping: &watch::Receiver<bool>) -> io::Result<bool> {
        let (mut head, body) = response.into_parts();
        let closes = head.headers.get(header::CONNECTION).is_some_and(|value| value == "close");
        // What is left of a body that nobody asked for would be taken for the next request.
        let closes = closes || self.coming.is_some() || *stopping.borrow();
        if closes {
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        match body {
            Body::Whole(body) => {
                self.outbox.whole(&head, body.unwrap_or_default());
                self.flush().await?;
            }
            mut body @ Body::Stream(_) => {
                self.outbox.begin(&head);
                self.flush().await?;
                loop {
                    let next = std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx));
                    let Some(next) = self.unless_gone(next).await else { return Ok(false) };
                    match next {
                        Some(Ok(frame)) => self.outbox.chunk(frame.into_data().unwrap_or_default()),
                        Some(Err(never)) => match never {},
                        None => break,
                    }
                    self.flush().await?;
                }
                self.outbox.last_chunk();
                self.flush().await?;
            }
        }
        Ok(!closes)
    }

    async fn flush(&mut self) -> io::Result<()> {
        let Self { stream, outbox, .. } = self;
        std::future::poll_fn(|cx| outbox.poll_write(cx, stream)).await?;
        outbox.shrink(KEPT_BYTES_MAX);
        Ok(())
    }
}
