//! What is kept, and until when it may be given.

use std::time::Duration;

use bytes::Bytes;

use crate::epochs::Epoch;
use crate::key::Tag;

/// Tags of one entry.
pub const TAGS_MAX: usize = 8;

/// Something to keep.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The thing itself.
    pub body: Bytes,
    /// For how long it may be given as if it were asked for anew.
    pub fresh: Duration,
    /// What it has in common with others that become wrong together; [`TAGS_MAX`] at most count.
    pub tags: Vec<Tag>,
    /// When its making began: what was declared wrong since is not kept.
    pub began: Epoch,
}

/// Something kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) body: Bytes,
    pub(crate) tags: Box<[Tag]>,
    pub(crate) stored_ms: u64,
    pub(crate) fresh_until_ms: u64,
    /// Until when it may stand in for an answer that cannot be had.
    pub(crate) stale_until_ms: u64,
}

impl Kept {
    /// What it takes of the level's bytes, its own administration with it.
    pub(crate) fn weight(&self) -> u64 {
        let own = size_of::<Self>() + size_of_val(&*self.tags) + OVERHEAD_BYTES;
        u64::try_from(self.body.len() + own).unwrap_or(u64::MAX)
    }
}

/// Key, places in the level's tables, the allocator's own.
const OVERHEAD_BYTES: usize = 160;
