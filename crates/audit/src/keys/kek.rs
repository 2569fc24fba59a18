//! The key that wraps all data keys, in a file of its own; behind a trait, since other places can keep it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::place::{read_secret, write_secret};
use crate::error::LogError;

const PREFIX: &str = "omni-audit-encryption-key-1+";

/// What wraps data keys.
pub trait KeyEncryption: Send + Sync + fmt::Debug {
    /// Which key it is: wrapped keys carry this, so that a lost or changed one is told from damage.
    fn id(&self) -> [u8; 8];

    /// Wraps a data key, bound to `context`.
    ///
    /// # Errors
    /// Where the key cannot be reached.
    fn wrap(&self, context: &[u8], key: &[u8; 32]) -> Result<Vec<u8>, LogError>;

    /// Unwraps what [`KeyEncryption::wrap`] made.
    ///
    /// # Errors
    /// Where the key cannot be reached, or is not the one it was wrapped with.
    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<[u8; 32], LogError>;
}

/// One key in several hands.
impl KeyEncryption for Arc<dyn KeyEncryption> {
    fn id(&self) -> [u8; 8] {
        (**self).id()
    }

    fn wrap(&self, context: &[u8], key: &[u8; 32]) -> Result<Vec<u8>, LogError> {
        (**self).wrap(context, key)
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<[u8; 32], LogError> {
        (**self).unwrap(context, wrapped)
    }
}

/// A key-encryption key of 256 bits, as a text: in a file that its owner alone may read.
pub struct FileKek {
    id: [u8; 8],
    key: LessSafeKey,
    text: String,
}

impl fmt::Debug for FileKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileKek({:016x})", u64::from_be_bytes(self.id))
    }
}

impl FileKek {
    /// A new key.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn generate() -> Result<Self, LogError> {
        Self::of(&random()?)
    }

    /// Reads the key's file; none where there is no such file.
    ///
    /// # Errors
    /// Where it cannot be read, or holds no key.
    pub fn read(path: &Path) -> Result<Option<Self>, LogError> {
        let Some(text) = read_secret(path)? else { return Ok(None) };
        Self::parse(&text, &path.display().to_string()).map(Some)
    }

    /// Reads a key's text, which is called `what` where it is none.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str, what: &str) -> Result<Self, LogError> {
        let key = text.trim().strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
        match key.and_then(|key| <[u8; 32]>::try_from(key).ok()) {
            Some(key) => Self::of(&key),
            None => Err(LogError::Key(format!(
                "{what} is no encryption key (`{PREFIX}...`): `omni audit make-key` makes one"
            ))),
        }
    }

    /// Its text. A secret.
    #[must_use]
    pub fn secret_text(&self) -> &str {
        &self.text
    }

    /// Writes the key's file, in the place of the one before.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LogError> {
        write_secret(path, &self.text)
    }

    fn of(key: &[u8; 32]) -> Result<Self, LogError> {
        let mut id = [0; 8];
        // A digest of a random key of 256 bits tells nothing of it.
        id.copy_from_slice(&digest(&SHA256, &[PREFIX.as_bytes(), key].concat()).as_ref()[..8]);
        let text = format!("{PREFIX}{}\n", STANDARD.encode(key));
        let key = UnboundKey::new(&AES_256_GCM_SIV, key)
            .map_err(|_| LogError::Key("the encryption key is none for AES-256-GCM-SIV".to_owned()))?;
        Ok(Self { id, key: LessSafeKey::new(key), text })
    }
}

impl KeyEncryption for FileKek {
    fn id(&self) -> [u8; 8] {
        self.id
    }

    fn wrap(&self, context: &[u8], key: &[u8; 32]) -> Result<Vec<u8>, LogError> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = key.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .map_err(|_| LogError::Key("wrapping a data key failed".to_owned()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn unwrap(&self, context: &[u8], wrapped: &[u8]) -> Result<[u8; 32], LogError> {
        let wrong = || LogError::Key("a data key does not unwrap: it was changed".to_owned());
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
        let mut text = sealed.to_vec();
        let key = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut text)
            .map_err(|_| wrong())?;
        <[u8; 32]>::try_from(&*key).map_err(|_| wrong())
    }
}

/// Random bytes, for keys.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], LogError> {
    omni_types::random().map_err(|error| LogError::Key(format!("no key: {error}")))
}
