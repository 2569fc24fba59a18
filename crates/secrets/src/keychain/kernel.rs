//! The kernel's keyring of this session: kept in memory that is never written to disk, gone with the session.

use linux_keyutils::{KeyError, KeyRing, KeyRingIdentifier};
use zeroize::Zeroizing;

use crate::keychain::fault::KeychainFault;

/// How a key is called there: `keyctl padd user NAME @s` puts one in.
fn description(service: &str, account: &str) -> String {
    format!("{service}:{account}")
}

/// The value of `account`.
pub(crate) fn lookup(service: &str, account: &str) -> Result<Zeroizing<Vec<u8>>, KeychainFault> {
    let key = ring()?.search(&description(service, account)).map_err(fault)?;
    key.read_to_vec().map(Zeroizing::new).map_err(fault)
}

/// Puts a value in.
pub(crate) fn store(service: &str, account: &str, value: &str) -> Result<(), KeychainFault> {
    let added = ring()?.add_key(&description(service, account), value.as_bytes());
    added.map(drop).map_err(fault)
}

fn ring() -> Result<KeyRing, KeychainFault> {
    KeyRing::from_special_id(KeyRingIdentifier::Session, true).map_err(fault)
}

fn fault(error: KeyError) -> KeychainFault {
    match error {
        KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked => KeychainFault::Missing,
        KeyError::AccessDenied | KeyError::PermissionDenied => KeychainFault::Refused(
            "refuses: the session in which the hub runs has none of its own (start it within `keyctl session`)"
                .to_owned(),
        ),
        error => KeychainFault::Refused(format!("refuses: {error}")),
    }
}
