//! What clients bring back (cursors, states, ids of tasks), and only hubs of one key can make: AES-256-GCM-SIV, so that a
//! client learns nothing and can forge nothing.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use omni_protocol::{decode_cursor, encode_cursor};

use omni_types::{NoRandomness, random};

/// Bytes of a cursor that is looked at.
const CURSOR_LENGTH_MAX: usize = 64 * 1024;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// A key.
pub struct Seal(LessSafeKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Seals under `key`.
    ///
    /// # Errors
    /// When the library does not take it.
    pub fn new(key: &[u8; KEY_BYTES]) -> Result<Self, NoRandomness> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key).map_err(|_| NoRandomness)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// `text` sealed for `context`, under a random nonce; this mode stands a nonce that comes twice.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn seal(&self, context: &str, text: &str) -> Result<String, NoRandomness> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = text.as_bytes().to_vec();
        let done =
            self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed);
        done.map_err(|_| NoRandomness)?;
        let mut whole = nonce.to_vec();
        whole.extend_from_slice(&sealed);
        Ok(encode_cursor(&whole))
    }

    /// The text that was sealed for `context`; `None` for anything else.
    #[must_use]
    pub fn open(&self, context: &str, cursor: &str) -> Option<String> {
        if cursor.len() > CURSOR_LENGTH_MAX {
            return None;
        }
        let whole = decode_cursor(cursor)?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(context), &mut text).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Seal;

    #[test]
    fn only_the_same_hub_and_context_open_it() {
        let seal = Seal::new(&[1; 32]).unwrap();
        let cursor = seal.seal("tools", "files__read").unwrap();
        assert_eq!(seal.open("tools", &cursor).as_deref(), Some("files__read"));
        assert_eq!(seal.open("prompts", &cursor), None);
        assert_eq!(Seal::new(&[2; 32]).unwrap().open("tools", &cursor), None);
        for at in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_ne!(seal.open("tools", std::str::from_utf8(&forged).unwrap()).as_deref(), Some("files__read"));
        }
        assert_eq!(seal.open("tools", ""), None);
    }
}
