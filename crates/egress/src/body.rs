//! The body of an answer; read to its end, it gives its connection back to the pool.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::error::EgressError;
use crate::http1::{Framing, Http1};
use crate::lease::Lease;

/// The body of an answer. Dropped before its end, it closes its connection.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    /// Over HTTP/1.1; `lease` where the connection is to be used again.
    Http1 { connection: Http1, framing: Framing, lease: Option<Lease> },
    /// Over HTTP/2, where a connection serves many.
    Http2(Incoming),
    /// At its end.
    Over,
}

impl Body {
    /// A body that `connection` is about to read.
    pub(crate) fn http1(connection: Http1, framing: Framing, lease: Option<Lease>) -> Self {
        let mut body = Self(Kind::Http1 { connection, framing, lease });
        body.release_at_end();
        body
    }

    pub(crate) const fn http2(incoming: Incoming) -> Self {
        Self(Kind::Http2(incoming))
    }

    /// Gives the connection's place in the pool to others while this body is still read: for an answer that waits for
    /// somebody else. Whoever calls this bounds how many there are; the connection is closed at the body's end.
    pub fn set_apart(&mut self) {
        if let Kind::Http1 { lease, .. } = &mut self.0 {
            *lease = None;
        }
    }

    fn release_at_end(&mut self) {
        if let Kind::Http1 { framing, .. } = &self.0
            && framing.is_over()
        {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Kind::Http1 { connection, lease: Some(lease), .. } = std::mem::replace(&mut self.0, Kind::Over) {
            lease.give_back(connection);
        }
    }
}

fn broken(why: String) -> EgressError {
    EgressError::Broken { authority: "the server".to_owned(), why }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        match &mut self.0 {
            Kind::Over => Poll::Ready(None),
            Kind::Http2(incoming) => {
                let frame = ready!(Pin::new(incoming).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(|e| broken(e.to_string()))))
            }
            Kind::Http1 { connection, framing, .. } => match ready!(connection.poll_body(cx, framing)) {
                Some(Ok(data)) => {
                    self.release_at_end();
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Some(Err(why)) => {
                    self.0 = Kind::Over;
                    Poll::Ready(Some(Err(broken(why))))
                }
                None => {
                    self.release();
                    Poll::Ready(None)
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Over => true,
            Kind::Http2(incoming) => incoming.is_end_stream(),
            Kind::Http1 { framing, .. } => framing.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Over => SizeHint::with_exact(0),
            Kind::Http2(incoming) => incoming.size_hint(),
            Kind::Http1 { framing: Framing::Length(left), .. } => SizeHint::with_exact(*left),
            Kind::Http1 { .. } => SizeHint::default(),
        }
    }
}

/// Bytes of one body that are read before others get their turn.
const TURN_BYTES: usize = 128 * 1024;

/// Reads `body` whole.
///
/// # Errors
/// When it is larger than `bytes_max` or its connection breaks.
pub async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, EgressError> {
    let too_large = EgressError::BodyTooLarge { max: bytes_max };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large);
    }
    if let Kind::Http1 { connection, framing: Framing::Length(length), .. } = &mut body.0 {
        let whole = connection.whole(*length).await.map_err(broken)?;
        body.release();
        return Ok(whole);
    }
    // One frame is the usual case: it is passed on without a copy.
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut turn = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let so_far = first.as_ref().map_or(0, Bytes::len).max(rest.len());
        if so_far + data.len() > bytes_max {
            return Err(too_large);
        }
        turn += data.len();
        match (&first, rest.is_empty()) {
            (None, true) => first = Some(data),
            (Some(one), true) => {
                rest.reserve(one.len() + data.len().max(usize::try_from(body.size_hint().lower()).unwrap_or(0)));
                rest.extend_from_slice(one);
                rest.extend_from_slice(&data);
            }
            _ => rest.extend_from_slice(&data),
        }
        if turn >= TURN_BYTES {
            // A server that writes faster than anybody reads would keep this thread for megabytes; what it owes its client
            // can wait, what others wait for cannot.
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
}
