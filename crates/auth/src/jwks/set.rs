//! A set of keys (RFC 7517 section 5), as far as they verify signatures here.

use serde_json::Value;

use crate::token::{Algorithm, Key};
use crate::unique;

/// Keys in a set.
const KEYS_MAX: usize = 100;
/// Bytes of a set.
pub(crate) const SET_BYTES_MAX: usize = 256 * 1024;

/// A set of keys.
#[derive(Debug, Default)]
pub struct KeySet(Vec<Key>);

/// Why a text is no set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is no JSON, or not of that form.
    #[error("it is no set of keys: {0}")]
    Form(String),
    /// Nobody has as many keys.
    #[error("it holds {0} keys; {KEYS_MAX} are looked at")]
    TooMany(usize),
    /// Nothing can be verified with it.
    #[error("it holds no key that verifies a signature here")]
    Empty,
}

impl KeySet {
    /// Reads a set. Keys of other kinds and uses are passed over (RFC 7517 section 5).
    ///
    /// # Errors
    /// When it is none, is too large, or no key of it is of use.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > SET_BYTES_MAX {
            return Err(KeySetError::Form(format!("more than {SET_BYTES_MAX} bytes")));
        }
        let object = unique::object(text).map_err(|error| KeySetError::Form(error.to_string()))?;
        let Some(keys) = object.get("keys").and_then(Value::as_array) else {
            return Err(KeySetError::Form("it has no list `keys`".to_owned()));
        };
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany(keys.len()));
        }
        let keys: Vec<Key> = keys.iter().filter_map(|key| Key::of_jwk(key.as_object()?)).collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(keys)) }
    }

    /// The key that a token means. One that names none means the only one there is for its algorithm.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting =
            self.0.iter().filter(|key| key.is_for(algorithm) && (id.is_none() || key.id.as_deref() == id));
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(first)
    }
}
