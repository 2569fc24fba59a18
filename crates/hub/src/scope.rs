//! Which servers an endpoint shows.

use omni_profiles::ProfileName;
use omni_types::ServerName;

/// Which servers an endpoint shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All, under names that tell them apart (`/mcp`).
    All,
    /// One, under its own names (`/mcp/{server}`).
    One(ServerName),
    /// What a profile shows of all, under the same names as there (`/mcp/p/{profile}`).
    Profile(ProfileName),
}

impl Scope {
    /// Whether `server` is among them.
    pub(crate) fn shows(&self, server: &ServerName) -> bool {
        match self {
            // What a profile shows may change while somebody listens: told too often is told right.
            Self::All | Self::Profile(_) => true,
            Self::One(name) => name == server,
        }
    }

    /// Whether it is one server, under that server's own names.
    #[must_use]
    pub const fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }
}
