//! What servers say of their own accord.

use std::sync::Arc;

use omni_protocol::{ListKind, Message};
use omni_types::ServerName;

use crate::link::Link;

/// Something that a server said without being asked, for everybody (who subscribed to a resource is told by [`crate::Subscriber`]).
#[derive(Debug)]
pub enum Event {
    /// A list of its changed, and the new one is in the catalog.
    ListChanged {
        /// Which server.
        server: ServerName,
        /// Which list; templates count as resources.
        kind: ListKind,
    },
    /// A resource of its changed: what was read of it is out of date.
    ResourceUpdated {
        /// Which server.
        server: ServerName,
        /// Under the server's own name for it.
        uri: String,
    },
    /// A log line; or, on a session's own link, an update of a resource that it did not subscribe to.
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
        /// The link it came on, and the answer goes to.
        link: Arc<Link>,
        /// The session whose own link that is.
        session: Arc<str>,
        /// The request.
        message: Message,
    },
}

/// Who hears it. It is called where the server is read: nothing is queued in between, so nothing is lost there, and it must
/// not wait.
pub trait Audience: std::fmt::Debug + Send + Sync {
    /// A server said something.
    fn hear(&self, event: Event);
}
