//! Profiles from elsewhere: GitHub and `https://`, pinned in `omni.lock`, kept by the digest of their content.

mod answer;
mod github;
mod kept;
mod lock;
mod locked;
mod origin;
mod plain;
mod signature;
mod update;

pub use kept::Kept;
pub use lock::{Lock, Locked};
pub(crate) use locked::{sources, stamps};
pub use origin::{Origin, OriginError};
pub use signature::key_fault;
pub use update::{Found, Request, latest, missing};
