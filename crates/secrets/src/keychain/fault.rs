//! Why a keychain gives or takes nothing.

/// Why a keychain gives or takes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeychainFault {
    /// It holds nothing under that name.
    Missing,
    /// It does not answer, or refuses.
    Refused(String),
}
