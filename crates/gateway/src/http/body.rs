//! Bodies of answers: whole ones, and streams of events that are made as the client reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use omni_hub::Identified;

/// What makes the next chunk of a stream; `None` after the last.
pub(crate) trait Source: Send {
    /// The next chunk.
    fn next(self: Box<Self>) -> Next;
}

/// A chunk on its way, and the source that makes the one after it.
pub(crate) type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Box<dyn Source>)>> + Send>>;

/// The body of an answer.
pub(crate) enum Body {
    /// Bytes that are there.
    Whole(Option<Bytes>),
    /// Events. Nothing is made before the client has taken what was made before, so a slow client holds up only the
    /// server it called, and nothing piles up here. Dropped with its connection, it cancels what makes it.
    Stream(Option<Next>),
}

impl Body {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }

    pub(crate) fn stream(source: Box<dyn Source>) -> Self {
        Self::Stream(Some(source.next()))
    }

    /// The same, but a stream ends when what `sender` showed holds no longer, by its time or by revocation.
    pub(crate) fn while_stands(self, sender: Identified) -> Self {
        match self {
            Self::Stream(Some(next)) => Self::Stream(Some(while_stands(next, sender))),
            other => other,
        }
    }
}

/// What is made for somebody, for as long as they are who they were.
struct Watched {
    source: Box<dyn Source>,
    sender: Identified,
}

impl Source for Watched {
    fn next(self: Box<Self>) -> Next {
        let Self { source, sender } = *self;
        while_stands(source.next(), sender)
    }
}

fn while_stands(next: Next, sender: Identified) -> Next {
    Box::pin(async move {
        let made = tokio::select! {
            biased;
            // What makes the chunks is let go with it, and with that the call.
            _ = sender.ended() => None,
            made = next => made,
        };
        let (chunk, source) = made?;
        Some((chunk, Box::new(Watched { source, sender }) as Box<dyn Source>))
    })
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(next) => {
                let Some(coming) = next else { return Poll::Ready(None) };
                match coming.as_mut().poll(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(None) => {
                        *next = None;
                        Poll::Ready(None)
                    }
                    Poll::Ready(Some((chunk, source))) => {
                        *next = Some(source.next());
                        Poll::Ready(Some(Ok(Frame::data(chunk))))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None) | Self::Stream(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
