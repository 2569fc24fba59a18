//! Who hears of updates of resources, and why one may not.

use std::sync::Arc;

use crate::error::LinkError;

/// Who hears that a resource was updated. It is called where the server is read, and so must not wait.
pub trait Subscriber: std::fmt::Debug + Send + Sync {
    /// The resource was updated, or may have been.
    fn updated(&self, update: &Update<'_>);
}

/// A resource was updated.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// The URI subscribed to.
    pub subscribed: &'a str,
    /// The URI updated: the same, or a part of it.
    pub uri: &'a str,
    /// JSON text of the notification's parameters, without what belongs to the hub's own subscription; `None` where
    /// the hub only knows that something may have been missed.
    pub params: Option<&'a str>,
}

/// Why a subscription did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The server has no subscriptions.
    #[error("it offers no subscriptions to resources")]
    NotOffered,
    /// The server has them, but not to this resource.
    #[error("it does not honour a subscription to this resource")]
    NotHonoured,
    /// The server refused; the JSON text of its error.
    #[error("it refused: {0}")]
    Refused(Arc<str>),
    /// As many as there may be.
    #[error("it has as many subscriptions as it may have")]
    TooMany,
    /// The server cannot be reached.
    #[error(transparent)]
    Link(#[from] LinkError),
}
