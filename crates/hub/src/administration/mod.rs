//! What an administrator does: keys, revocations, and what of them is kept and followed.

mod admit;
mod error;
mod follow;
mod handle;
mod keys;
mod revoke;

pub use admit::AdminCall;
pub use error::AdminError;
pub use handle::Administration;
pub use keys::{KeyRequest, MadeKey};
pub use revoke::RevokeRequest;
