//! On whose account something happened.

use std::fmt;

use omni_types::Principal;

/// On whose account something happened. There is no event without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An authenticated caller.
    Principal(Principal),
    /// Somebody who was not let in, or has not said who they are.
    Anonymous,
    /// The hub itself: start, reload, expiry.
    System,
}

impl From<&Principal> for Who {
    fn from(principal: &Principal) -> Self {
        Self::Principal(principal.clone())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(principal) => principal.fmt(f),
            Self::Anonymous => f.write_str("anonymous"),
            Self::System => f.write_str("system"),
        }
    }
}
