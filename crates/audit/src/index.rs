//! The index of a segment: which of its records are of which time, and which concern whom, what, where and how it ended.
//!
//! It is made from the segment and can be made again. It tells nobody without the segment's key who did what: what records are
//! found by is blinded (HMAC). It is not trusted either: every part of it carries a MAC, and what it points at is read and
//! checked, so a forged one costs time and nothing else. Layout: `layout.rs`.

mod builder;
mod file;
mod forget;
mod key;
mod layout;
mod plan;
pub(crate) mod postings;

pub use builder::{IndexBuilder, Placed};
pub use file::{Index, IndexError, ReadAt};
pub(crate) use forget::forget;
pub use key::{IndexKey, Tag};
pub use layout::{BLOCK_RECORDS, Block, Covered};
pub use plan::{INDEXED, candidates, tags_of};
