//! A call that a simulated server works on.

use std::sync::Arc;

use crate::planted::Planted;
use crate::server::Server;

/// A call that a server works on. When it is dropped before its answer was written, nobody waits for it any more.
pub(crate) struct Work {
    pub(crate) server: Arc<Server>,
    pub(crate) call: u64,
    pub(crate) done: bool,
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.done {
            self.server.book.answered(self.call);
        } else if !self.server.plan.has(Planted::CancelUnheard) {
            self.server.book.let_go(self.call);
        }
    }
}
