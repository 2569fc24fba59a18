//! Chance, from the kernel.
//!
//! The crypto library has a generator of its own, which gathers entropy for some 50 ms when it is first asked: as long as the
//! hub may take from its start to its first answer.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// The system has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no randomness to give")]
pub struct NoRandomness;

/// `N` random bytes.
///
/// # Errors
/// When the kernel gives none.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(NoRandomness),
        }
    }
    Ok(bytes)
}

impl From<NoRandomness> for io::Error {
    fn from(error: NoRandomness) -> Self {
        Self::other(error)
    }
}
