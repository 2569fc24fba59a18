//! The hub's own encrypted store of secrets: one file beside its key.

mod document;
mod file;
mod key_file;
mod store;

pub(crate) use file::Stamp;
pub(crate) use file::stamp as stamp_of;
pub use store::{Entry, LocalStore, NAME_BYTES_MAX, SECRETS_MAX, StoreError, name_fault};
