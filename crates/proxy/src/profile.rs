//! For whom a link is made, and what tells links of one server apart.

use std::sync::Arc;

use omni_protocol::Version;

/// What tells links of one server apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LinkKey {
    /// Revision.
    pub version: Version,
    /// The client session it belongs to alone.
    pub session: Option<Arc<str>>,
}

/// For whom a link is wanted.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Revision that the client speaks.
    pub version: Version,
    /// The client's session, if it has one.
    pub session: Option<Arc<SessionProfile>>,
}

/// What a client said of itself when it opened its session.
#[derive(Debug, Clone)]
pub struct SessionProfile {
    /// The session.
    pub id: Arc<str>,
    /// JSON text of its capabilities.
    pub capabilities: String,
    /// JSON text of its name and version.
    pub client_info: String,
}

impl Profile {
    /// The hub's own wishes, as a client of `version`.
    #[must_use]
    pub const fn hub(version: Version) -> Self {
        Self { version, session: None }
    }
}
