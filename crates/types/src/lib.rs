//! The words of the house: what every floor means by a server, a principal and a fault.

mod chance;
mod digest;
mod fault;
mod hex;
mod pattern;
mod principal;
mod server_name;

pub use chance::{NoRandomness, random};
pub use digest::keyed_digest;
pub use fault::{Blame, Fault, FaultKind};
pub use hex::hex;
pub use pattern::{Pattern, PatternError, glob};
pub use principal::{Identity, Principal, PrincipalKind};
pub use server_name::{ServerName, ServerNameError};
