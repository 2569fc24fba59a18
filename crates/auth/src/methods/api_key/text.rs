//! The form of an API key: `omni_` id `_` secret checksum, so that people, scanners and typos are told apart at sight.
//!
//! The id finds the key, the secret (256 random bits) proves it, and the checksum tells a key that was cut off or mistyped
//! from one that is wrong, before anything is looked up.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use omni_types::random;

/// What a key begins with.
pub(super) const API_KEY_PREFIX: &str = "omni_";
/// Characters of an id: 71 bits, unique and no secret.
pub(super) const API_KEY_ID_CHARS: usize = 12;
/// Characters of a secret: 256 bits.
const SECRET_CHARS: usize = 43;
/// Characters of a CRC-32.
const CHECKSUM_CHARS: usize = 6;
/// Characters of a whole key.
const KEY_CHARS: usize = API_KEY_PREFIX.len() + API_KEY_ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Bytes below this one fall on each character equally often.
const FAIR_BELOW: u8 = 248;

/// Bytes of a digest.
pub const API_KEY_DIGEST_BYTES: usize = 32;

/// A key that was just made. Its text is shown once and never kept.
pub struct FreshApiKey {
    /// Its public part.
    pub id: String,
    /// The whole key.
    pub text: String,
    /// SHA-256 of it.
    pub digest: [u8; API_KEY_DIGEST_BYTES],
}

impl fmt::Debug for FreshApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl FreshApiKey {
    /// Makes a key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn make() -> std::io::Result<Self> {
        let id = letters(API_KEY_ID_CHARS)?;
        let body = format!("{API_KEY_PREFIX}{id}_{}", letters(SECRET_CHARS)?);
        let text = format!("{body}{}", checksum(&body));
        Ok(Self { id, digest: digest_of(&text), text })
    }
}

/// The digest under which a key is kept. With 256 random bits there is nothing to guess, so a fast one is enough: a slow
/// one would only make each login dear.
pub(super) fn digest_of(text: &str) -> [u8; API_KEY_DIGEST_BYTES] {
    #[cfg(test)]
    DIGESTS.with(|count| count.set(count.get() + 1));
    let mut out = [0; API_KEY_DIGEST_BYTES];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

/// Whether two digests are the same, in a time that does not depend on where they differ.
pub(super) fn is_same(presented: &[u8; API_KEY_DIGEST_BYTES], expected: &[u8; API_KEY_DIGEST_BYTES]) -> bool {
    #[cfg(test)]
    COMPARED.with(|count| count.set(count.get() + 1));
    verify_slices_are_equal(presented, expected).is_ok()
}

#[cfg(test)]
thread_local! {
    /// How many digests were made, and compared, on this thread.
    pub(super) static DIGESTS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    pub(super) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Whether `text` is meant to be a key: by its beginning alone.
pub(super) fn is_meant(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(API_KEY_PREFIX) else { return false };
    rest.find('_').is_some_and(|at| at == API_KEY_ID_CHARS && rest[..at].bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The id in a key that is whole.
pub(super) fn id_of(text: &str) -> Option<&str> {
    if text.len() != KEY_CHARS || !text.is_ascii() || !is_meant(text) {
        return None;
    }
    let (body, sum) = text.split_at(KEY_CHARS - CHECKSUM_CHARS);
    (checksum(body) == sum).then(|| &text[API_KEY_PREFIX.len()..][..API_KEY_ID_CHARS])
}

fn letters(count: usize) -> std::io::Result<String> {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        let bytes = random::<64>()?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR_BELOW);
        text.extend(fair.map(|byte| char::from(BASE62[usize::from(byte % 62)])).take(count - text.len()));
    }
    Ok(text)
}

/// CRC-32 (ISO-HDLC) in six characters of base 62.
fn checksum(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut rest = !crc;
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{FreshApiKey, KEY_CHARS, checksum, digest_of, id_of, is_meant};

    #[test]
    fn auth_7_a_key_is_whole_or_none() {
        let key = FreshApiKey::make().unwrap();
        assert_eq!(key.text.len(), KEY_CHARS);
        assert_eq!(id_of(&key.text), Some(key.id.as_str()));
        assert_eq!(digest_of(&key.text), key.digest);
        for at in 0..KEY_CHARS {
            let mut typo = key.text.clone().into_bytes();
            typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(id_of(std::str::from_utf8(&typo).unwrap()), None, "one wrong character at {at}");
            assert_eq!(id_of(&key.text[..at]), None, "cut off at {at}");
        }
        assert_eq!(id_of(&format!("{} ", key.text)), None);
        assert!(!is_meant("omni_local_abc") && !is_meant("eyJhbGciOi.x.y") && is_meant(&key.text[..20]));
        assert!(!format!("{key:?}").contains(&key.text[20..]), "the secret is not for logs");
    }

    #[test]
    fn auth_7_no_two_keys_are_alike_and_the_checksum_is_crc_32() {
        let keys: std::collections::HashSet<String> = (0..200).map(|_| FreshApiKey::make().unwrap().text).collect();
        assert_eq!(keys.len(), 200);
        // The check value of CRC-32/ISO-HDLC is cbf43926.
        let value = checksum("123456789").bytes().fold(0u64, |sum, byte| {
            let digit = super::BASE62.iter().position(|b| *b == byte).unwrap();
            sum * 62 + digit as u64
        });
        assert_eq!(value, 0xcbf4_3926);
    }
}
