//! Asking a log: its segments one after the other, each by its index where there is one, else by reading it.
//!
//! Nothing here takes a lock or changes the log; a segment that a hub writes at the same time is read as far as it is whole.

mod follow;
mod indexed;
mod records;
mod searcher;
#[cfg(test)]
mod tests;

pub use follow::Follow;
pub use searcher::{Order, Search, Tell};
