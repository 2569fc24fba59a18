//! Which servers an endpoint shows.

use omni_types::ServerName;

/// Which servers an endpoint shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All, under names that tell them apart (`/mcp`).
    All,
    /// One, under its own names (`/mcp/{server}`).
    One(ServerName),
}

impl Scope {
    /// Whether `server` is among them.
    pub(crate) fn shows(&self, server: &ServerName) -> bool {
        match self {
            Self::All => true,
            Self::One(name) => name == server,
        }
    }
}
