//! Verification: everything a log holds against everything that was signed, with nothing but the public key.

mod beginning;
mod checkpoints;
mod finding;
mod leaves;
mod succession;
mod walk;

pub use finding::{Finding, Verification};
pub(crate) use succession::{NEXT_KEY, SIGNED_BY_LAST, SUCCESSION, successor};
pub use walk::{VerifyOptions, verify};

#[cfg(test)]
mod tests;
