//! JSON as a tree, read by serde_json: the second opinion on what our own code does to the bytes.

use serde_json::Value;
use std::collections::HashSet;

/// The tree of `text`; `None` where serde_json's own tree cannot hold it (a number past `f64`, half a surrogate pair, more
/// than 128 levels), on which our code, keeping bytes, may differ.
pub(crate) fn tree(text: impl AsRef<[u8]>) -> Option<Value> {
    serde_json::from_slice(text.as_ref()).ok()
}

/// The tree of `text`, which our code wrote.
///
/// # Panics
/// When it is no JSON.
pub(crate) fn written(text: impl AsRef<[u8]>) -> Value {
    let text = text.as_ref();
    match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => panic!("what was written is no JSON: {error}: {}", String::from_utf8_lossy(text)),
    }
}

/// Members of an object with their names, duplicates kept.
pub(crate) fn has_duplicates(text: &str) -> bool {
    let Ok(found) = omni_protocol::members(text) else { return false };
    let mut seen = HashSet::new();
    !found.iter().all(|(name, _)| seen.insert(name.as_ref()))
}
