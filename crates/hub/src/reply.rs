//! What a client is answered.

use std::sync::Arc;

use bytes::Bytes;
use omni_protocol::Version;
use omni_types::Fault;

use crate::listening::ListenStream;
use crate::session::Session;
use crate::stage::Sanitized;

/// What a client is answered.
#[derive(Debug)]
pub enum Reply {
    /// Nothing: a notification or an answer was taken.
    Accepted,
    /// An answer.
    Answer(Box<Sanitized>),
    /// An answer to `initialize`, and the session it opened.
    Opened {
        /// The session.
        session: Arc<Session>,
        /// The answer.
        body: Bytes,
    },
    /// A stream that stays open (`subscriptions/listen`).
    Listening(Box<ListenStream>),
    /// It failed.
    Failed {
        /// Why.
        fault: Fault,
        /// JSON text of the request's id; `None` where there was none to read.
        id: Option<String>,
        /// The revision that the client speaks, as far as that is known.
        version: Version,
    },
}
