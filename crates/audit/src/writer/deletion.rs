//! What is about to be deleted, as the thread that writes is told of it.

use crate::prune::Inherited;

/// What is about to be deleted.
#[derive(Debug)]
pub(super) struct Deletion {
    pub(super) now_us: u64,
    pub(super) first_kept: u64,
    pub(super) retained_until_us: u64,
    pub(super) keys: Vec<Inherited>,
    /// No segment stays: then nothing may have been written meanwhile.
    pub(super) is_all: bool,
}
