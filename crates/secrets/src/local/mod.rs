//! The hub's own encrypted store of secrets: one file beside its key.

mod document;
mod file;
mod key_file;
mod store;
mod unlock;

pub(crate) use file::Stamp;
pub(crate) use file::stamp as stamp_of;
pub use store::{Entry, KeptBy, LocalStore, NAME_BYTES_MAX, SECRETS_MAX, StoreError, name_fault};
pub use unlock::{PASSPHRASE_FILE, Unlock};
