//! On whose behalf a secret is asked for.

use std::fmt;

use omni_types::ServerName;

/// On whose behalf a secret is asked for. Who may have which is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Requester {
    /// The hub itself: the operator wrote the reference into its configuration, at this place.
    Hub(&'static str),
    /// A server of the configuration: the operator wrote the reference into its entry.
    Server(ServerName),
    /// A source of profiles: the operator wrote the reference into its entry, and the value goes to that source alone.
    Source(String),
    /// A profile: text that others wrote, so nothing is granted unless the operator named it.
    Profile(String),
}

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub(place) => write!(f, "the hub (`{place}`)"),
            Self::Server(name) => write!(f, "server `{name}`"),
            Self::Source(name) => write!(f, "source of profiles `{name}`"),
            Self::Profile(name) => write!(f, "profile `{name}`"),
        }
    }
}
