//! Digests under which things are looked up that strangers have a say in: nobody outside can make two of them meet.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::LazyLock;

/// Two keys, drawn anew by each process.
static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);

/// 128 bits of SipHash under keys of this process. Equal for equal values as long as the process runs.
#[must_use]
pub fn keyed_digest(value: &impl Hash) -> u128 {
    let [high, low] = KEYS.each_ref().map(|key| u128::from(key.hash_one(value)));
    (high << 64) | low
}
