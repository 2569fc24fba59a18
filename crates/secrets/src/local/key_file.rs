//! The key that wraps the store's data key, in a file of its own beside it. While a key is rotated the file holds two.

use std::io;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::local::file;
use crate::seal::{KEY_BYTES, Key};

/// What a line begins with.
const PREFIX: &str = "omni-secrets-key-1+";
/// Bytes of the file: it has two lines at most.
const FILE_BYTES_MAX: u64 = 1024;

/// Which key it is: a digest of a random key of 256 bits tells nothing of it.
pub(crate) fn key_id(key: &Key) -> String {
    let digest = digest(&SHA256, &Zeroizing::new([PREFIX.as_bytes(), key.as_slice()].concat()));
    omni_types::hex(&digest.as_ref()[..8])
}

/// The keys of the file, the newest last; none where there is no file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Key>> {
    let Some(text) = file::read(path, FILE_BYTES_MAX)?.map(Zeroizing::new) else { return Ok(Vec::new()) };
    let key = |line: &str| {
        let bytes = Zeroizing::new(STANDARD.decode(line.strip_prefix(PREFIX)?).ok()?);
        <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok().map(Key::new)
    };
    let keys: Option<Vec<Key>> = text.lines().map(key).collect();
    keys.filter(|keys| !keys.is_empty())
        .ok_or_else(|| io::Error::other(format!("holds no key (`{PREFIX}…`): put the file back that belongs there")))
}

/// Writes the file.
pub(crate) fn write(path: &Path, keys: &[&Key]) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    for key in keys {
        text.push_str(PREFIX);
        text.push_str(&Zeroizing::new(STANDARD.encode(key.as_slice())));
        text.push('\n');
    }
    file::replace(path, &text)
}
