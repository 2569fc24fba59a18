//! The keys of authorization servers: found (RFC 8414, OpenID Connect Discovery), fetched, kept and renewed (row AUTH-3).

mod discovery;
mod provider;
mod set;

pub use discovery::may_be_asked;
pub(crate) use provider::{Keeping, Provider};
pub use set::{KeySet, KeySetError};
