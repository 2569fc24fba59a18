//! For whom a link is made, and what tells links of one server apart.

use std::sync::Arc;

use omni_protocol::{Era, Version};

use crate::capabilities::Capabilities;

/// What tells links of one server apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LinkKey {
    /// Revision.
    pub version: Version,
    /// The client session it belongs to alone.
    pub session: Option<Arc<str>>,
    /// What is declared on it, where several clients share it. Nothing on a link of 2026-07-28, where each request
    /// declares for itself.
    pub capabilities: Capabilities,
}

/// For whom a link is wanted.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Revision that the client speaks.
    pub version: Version,
    /// The client's session, if it has one.
    pub session: Option<Arc<SessionProfile>>,
    /// What the client can do for a server of an earlier revision.
    pub capabilities: Capabilities,
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

impl LinkKey {
    /// The one conversation of 2026-07-28.
    pub(crate) fn modern() -> Self {
        Self { version: Version::LATEST, session: None, capabilities: Capabilities::default() }
    }

    /// A conversation of the earlier revisions that clients share who declare the same.
    pub(crate) const fn shared(capabilities: Capabilities) -> Self {
        Self { version: Version::LATEST_LEGACY, session: None, capabilities }
    }
}

impl Profile {
    /// A client of `version` without a session that can do `capabilities`.
    #[must_use]
    pub const fn new(version: Version, capabilities: Capabilities) -> Self {
        Self { version, session: None, capabilities }
    }

    /// The hub's own wishes, as a client of `version`.
    #[must_use]
    pub fn hub(version: Version) -> Self {
        Self::new(version, Capabilities::default())
    }

    /// This client as one of several that share a process: it speaks the newest revision of its era, whoever came first.
    pub(crate) fn among_others(&self) -> Self {
        let version = if self.version.era() == Era::Modern { Version::LATEST } else { Version::LATEST_LEGACY };
        Self::new(version, self.capabilities.clone())
    }
}
