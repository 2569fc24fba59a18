//! How a tool says that it could not do what was asked.

use std::fmt::Display;

/// A tool's own failure: a sentence that tells a model what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `what` failed because of `error`.
    pub(crate) fn because(what: impl Display, error: impl Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}
