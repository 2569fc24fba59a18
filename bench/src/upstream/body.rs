//! The two answer bodies an upstream needs: bytes that are there, and an event stream on which nothing happens.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What an answer carries.
pub(crate) enum ReplyBody {
    /// All of it at once; taken when sent.
    Whole(Option<Bytes>),
    /// Open until the client goes away.
    Idle,
}

impl ReplyBody {
    /// A body of these bytes (none for an empty one).
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            // No waker is kept on purpose: hyper itself watches the connection for the client's leaving.
            Self::Idle => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Idle => SizeHint::default(),
        }
    }
}
