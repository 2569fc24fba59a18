//! How the keeping of subscriptions on one link comes to an end.

/// Why the keeping on one link came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nobody wants anything.
    Idle,
    /// The link is gone.
    Gone,
    /// The link lives, in another session.
    Renewed,
    /// The stream broke off, or did not come about.
    Broken {
        /// Whether it had come about.
        opened: bool,
    },
    /// The server has no such thing.
    NotOffered,
}
