//! A reply as the messages it is made of, one after another: what every channel says, whatever it wraps them in.

use std::pin::Pin;

use bytes::Bytes;
use omni_hub::stage::SanitizedStream;
use omni_hub::{ListenStream, Reply};
use omni_types::FaultKind;

use crate::fault;

/// A reply that is being made.
pub(crate) type Coming = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// What a client is told about one message of its own.
pub(crate) enum Speech {
    /// The reply is being made.
    Coming(Coming),
    /// One message, or none: it was taken, or its sender does not want to hear of it any more.
    One(Option<Bytes>),
    /// Something before the answer, and the answer. Boxed: it is rare, and weighs on every other call.
    Answer(Option<Bytes>, Box<SanitizedStream>),
    /// A subscription.
    Listening(Box<ListenStream>),
}

impl Speech {
    pub(crate) fn of(reply: Reply) -> Self {
        match reply {
            Reply::Accepted => Self::One(None),
            Reply::Opened { body, .. } => Self::One(Some(body)),
            Reply::Answer(sanitized) => match sanitized.into_parts() {
                (first, None, _) => Self::One(Some(first)),
                (first, Some(rest), _) => Self::Answer(Some(first), rest),
            },
            Reply::Listening(listen) => Self::Listening(listen),
            Reply::Failed { fault, .. } if fault.kind() == FaultKind::Cancelled => Self::One(None),
            Reply::Failed { fault, id, version } => Self::One(Some(fault::body(&fault, id.as_deref(), version).into())),
        }
    }

    /// The next message, and whether it is the answer; `None` after the last. What was not waited for to its end is
    /// not lost: it comes with the next call.
    pub(crate) async fn next(&mut self) -> Option<(Bytes, bool)> {
        if let Self::Coming(coming) = self {
            *self = Self::of(coming.await);
        }
        match self {
            Self::Coming(_) => None,
            Self::One(message) => message.take().map(|message| (message, true)),
            Self::Answer(first, rest) => {
                if let Some(first) = first.take() {
                    return Some((first, false));
                }
                let outcome = rest.next().await;
                let last = match outcome {
                    Ok(Some((message, false))) => return Some((message, false)),
                    Ok(Some((message, true))) => Some((message, true)),
                    Ok(None) => None,
                    Err(fault) if fault.kind() == FaultKind::Cancelled => None,
                    Err(fault) => Some((fault::body(&fault, Some(rest.id()), rest.version()).into(), true)),
                };
                *self = Self::One(None);
                last
            }
            Self::Listening(listen) => listen.next().await.map(|message| (message, false)),
        }
    }
}
