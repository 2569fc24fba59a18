//! The sign that a request is no longer wanted: awaited by async work, looked at between steps by blocking work.

use std::sync::Arc;

use tokio::sync::watch;

use crate::mcp::failure::Failure;

/// A flag that is raised once; clones share it.
#[derive(Clone)]
pub(crate) struct Cancel(Arc<watch::Sender<bool>>);

impl Cancel {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn raise(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when the flag is raised.
    pub(crate) async fn raised(&self) {
        let mut flag = self.0.subscribe();
        // The error means that every sender is gone, which `self` rules out.
        drop(flag.wait_for(|raised| *raised).await);
    }

    /// An early way out for loops that may run long. The text is never sent: a cancelled request has no answer.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.is_raised() { Err(Failure::new("the request was cancelled")) } else { Ok(()) }
    }
}
