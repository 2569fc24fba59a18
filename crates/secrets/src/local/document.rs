//! The store's file as it is written: names and times in clear, values sealed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::seal::{KEY_BYTES, Key, open, seal};

/// The file's format; another one is refused.
pub(crate) const FORMAT: &str = "omni-secrets-1";

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    /// [`FORMAT`].
    pub(crate) format: String,
    /// Which key wraps the data key.
    pub(crate) key_id: String,
    /// The data key, wrapped.
    pub(crate) data_key: String,
    /// The secrets, by name.
    pub(crate) secrets: BTreeMap<String, Sealed>,
}

/// One secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    /// How many values it has had.
    pub(crate) version: u64,
    /// When it got this one, in seconds since 1970.
    pub(crate) set_at: u64,
    /// The value, sealed.
    pub(crate) value: String,
}

impl Document {
    /// An empty one whose data key is wrapped by `kek`.
    pub(crate) fn new(key_id: String, kek: &Key, data_key: &Key) -> Option<Self> {
        let wrapped = STANDARD.encode(seal(kek, context(&key_id).as_bytes(), data_key.as_slice())?);
        Some(Self { format: FORMAT.to_owned(), key_id, data_key: wrapped, secrets: BTreeMap::new() })
    }

    /// Its data key.
    pub(crate) fn unwrap(&self, kek: &Key) -> Option<Key> {
        let bytes = open(kek, context(&self.key_id).as_bytes(), &STANDARD.decode(&self.data_key).ok()?)?;
        <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok().map(Key::new)
    }
}

impl Sealed {
    /// `value` of `name`, sealed. Name, version and time are bound to it: none can be given another's value.
    pub(crate) fn new(name: &str, version: u64, set_at: u64, data_key: &Key, value: &str) -> Option<Self> {
        let sealed = seal(data_key, place(name, version, set_at).as_bytes(), value.as_bytes())?;
        Some(Self { version, set_at, value: STANDARD.encode(sealed) })
    }

    /// The value.
    pub(crate) fn open(&self, name: &str, data_key: &Key) -> Option<Zeroizing<String>> {
        let place = place(name, self.version, self.set_at);
        let bytes = open(data_key, place.as_bytes(), &STANDARD.decode(&self.value).ok()?)?;
        std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
    }
}

fn context(key_id: &str) -> String {
    format!("{FORMAT}|data key|{key_id}")
}

fn place(name: &str, version: u64, set_at: u64) -> String {
    // The name comes last: it can hold the separator, the numbers cannot.
    format!("{FORMAT}|value|{version}|{set_at}|{name}")
}
