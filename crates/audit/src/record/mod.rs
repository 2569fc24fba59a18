//! A record: the bytes that are stored, and that are the leaf of the tree.

mod cbor;
mod draft;
mod field;
mod layout;
mod seal;

pub(crate) use draft::{Draft, DraftRoom};
pub use field::{Field, Value};
pub use layout::{KeyId, RECORD_BYTES_MAX, Record, RecordHeader};
pub(crate) use seal::plain_fields;
pub use seal::{KeySource, Opened, Personal, PlainRecord, Seal, open};
