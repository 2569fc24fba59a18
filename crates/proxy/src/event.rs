//! What servers say of their own accord.

use std::sync::Arc;

use omni_protocol::{ListKind, Message};
use omni_types::ServerName;

/// Something that a server said without being asked.
#[derive(Debug, Clone)]
pub enum Event {
    /// The configuration was replaced: every list may be another one.
    Replaced,
    /// A list of its changed, and the new one is in the catalog.
    ListChanged {
        /// Which server.
        server: ServerName,
        /// Which list; templates count as resources.
        kind: ListKind,
    },
    /// A resource was updated, or a log line written; for whoever asked for it.
    Notification {
        /// Which server.
        server: ServerName,
        /// The session whose own link it came on, if it has one of its own.
        session: Option<Arc<str>>,
        /// The notification.
        message: Message,
    },
    /// It asks the client for something (sampling, elicitation, roots) outside any call.
    Request {
        /// Which server.
        server: ServerName,
        /// The session whose own link it came on.
        session: Arc<str>,
        /// The request.
        message: Message,
    },
}
