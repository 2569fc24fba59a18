//! Sealing with AES-256-GCM-SIV: a nonce before, a tag behind, bound to what the sealed bytes are.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use omni_types::random;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// A key of 256 bits, wiped when it is done with.
pub(crate) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// A fresh key.
pub(crate) fn fresh_key() -> Option<Key> {
    random().ok().map(Key::new)
}

/// `plain` sealed under `key`, bound to `context`. GCM-SIV, because nonces are drawn and a double one must cost nothing more
/// than telling that two values are the same.
pub(crate) fn seal(key: &Key, context: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let nonce: [u8; NONCE_LEN] = random().ok()?;
    let mut sealed = Zeroizing::new(plain.to_vec());
    sealed.reserve(AES_256_GCM_SIV.tag_len());
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key.as_slice()).ok()?);
    cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut *sealed).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// What [`seal`] sealed under the same key and context; `None` for anything else.
pub(crate) fn open(key: &Key, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut bytes = Zeroizing::new(sealed.to_vec());
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key.as_slice()).ok()?);
    let plain = cipher.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut bytes).ok()?.len();
    bytes.truncate(plain);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{fresh_key, open, seal};

    #[test]
    fn sec_3_only_the_same_key_and_context_open() {
        let (key, other) = (fresh_key().unwrap(), fresh_key().unwrap());
        let sealed = seal(&key, b"a|1", b"hunter2").unwrap();
        assert_eq!(open(&key, b"a|1", &sealed).unwrap().as_slice(), b"hunter2");
        assert!(open(&key, b"b|1", &sealed).is_none());
        assert!(open(&other, b"a|1", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, b"a|1", &changed).is_none(), "byte {at}");
        }
        assert!(open(&key, b"", b"short").is_none());
        assert_ne!(seal(&key, b"a|1", b"hunter2").unwrap(), sealed, "the nonce is a fresh one");
    }
}
