//! Whose call it is.

use std::fmt;
use std::sync::Arc;

/// An authenticated caller. Made by the Auth module alone (row AUTH-5 widens it to claims).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    id: Arc<str>,
    kind: PrincipalKind,
}

/// How the caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// The operating system's user on whose behalf the hub runs, over stdio or loopback.
    LocalUser,
}

impl Principal {
    /// The local user `name`.
    #[must_use]
    pub fn local(name: &str) -> Self {
        Self { id: Arc::from(name), kind: PrincipalKind::LocalUser }
    }

    /// The identity as it stands in policies and logs.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How the caller is known.
    #[must_use]
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            PrincipalKind::LocalUser => write!(f, "local:{}", self.id),
        }
    }
}
