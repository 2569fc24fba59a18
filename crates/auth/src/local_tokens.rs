//! Tokens of this machine's own clients: made by `omni connect`, of which only hashes are kept, in one file of the data
//! directory that its owner alone may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::cache::digest_of;
use crate::clock::now;
use omni_types::random;

/// What such a token begins with, so that people and scanners for secrets know one when they see it.
pub const LOCAL_TOKEN_PREFIX: &str = "omni_local_";
/// Random bytes of a token.
const SECRET_BYTES: usize = 32;
/// The file in the data directory.
const FILE: &str = "local-tokens.json";
/// Held while it is changed.
const LOCK: &str = "local-tokens.lock";
/// Only the user that runs the hub may read it.
const MODE: u32 = 0o600;
/// Bytes of the file that are read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Clients that have a token.
const CLIENTS_MAX: usize = 1_000;

/// One client's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalToken {
    /// The client, and which of its files the token was written to.
    pub(crate) client: String,
    pub(crate) place: String,
    /// SHA-256 of the token, in hexadecimal digits: with 256 random bits there is nothing to guess.
    pub(crate) sha256: String,
    /// Seconds since 1970.
    pub(crate) issued_at: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Kept {
    tokens: Vec<LocalToken>,
}

/// What tells one state of the file from another without reading it.
pub(crate) type Stamp = Option<(SystemTime, u64, u64)>;

/// The tokens kept in one data directory.
#[derive(Debug, Clone)]
pub struct LocalTokens {
    folder: PathBuf,
}

impl LocalTokens {
    /// Those of the data directory `folder`.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// A new token for `client`, whose file is `place`; the one it had before ends.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn issue(&self, client: &str, place: &str) -> io::Result<String> {
        let secret = random::<SECRET_BYTES>()?;
        let token = format!("{LOCAL_TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        self.change(|tokens| {
            tokens.retain(|token| !(token.client == client && token.place == place));
            if tokens.len() >= CLIENTS_MAX {
                return Err(io::Error::other(format!(
                    "{CLIENTS_MAX} clients have a token, which is all that are kept"
                )));
            }
            tokens.push(LocalToken {
                client: client.to_owned(),
                place: place.to_owned(),
                sha256: hex(&token),
                issued_at: now(),
            });
            Ok(())
        })?;
        Ok(token)
    }

    /// Ends the token of `client` that was written to `place`; whether it had one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn revoke(&self, client: &str, place: &str) -> io::Result<bool> {
        if !self.path().exists() {
            return Ok(false);
        }
        let mut had = false;
        self.change(|tokens| {
            let before = tokens.len();
            tokens.retain(|token| !(token.client == client && token.place == place));
            had = tokens.len() != before;
            Ok(())
        })?;
        Ok(had)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// What the file looks like from outside.
    pub(crate) fn stamp(&self) -> Stamp {
        use std::os::unix::fs::MetadataExt as _;
        let meta = fs::metadata(self.path()).ok()?;
        Some((meta.modified().ok()?, meta.len(), meta.ino()))
    }

    /// The tokens in force.
    pub(crate) fn read(&self) -> io::Result<Vec<LocalToken>> {
        let path = self.path();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            // Who may write here may let himself in.
            let why = format!("others may write {} (mode {mode:o}): `chmod 600` it", path.display());
            return Err(io::Error::other(why));
        }
        if meta.len() > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("{} is larger than {FILE_BYTES_MAX} bytes", path.display())));
        }
        let mut text = String::new();
        io::Read::by_ref(&mut file).take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let kept: Kept =
            serde_json::from_str(&text).map_err(|e| io::Error::other(format!("{}: {e}", path.display())))?;
        Ok(kept.tokens)
    }

    /// Under a lock, so that of two that change it none is lost; renamed into place, so that no reader finds half of it.
    fn change(&self, work: impl FnOnce(&mut Vec<LocalToken>) -> io::Result<()>) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let open = |path: &Path| OpenOptions::new().create(true).truncate(true).write(true).mode(MODE).open(path);
        let lock = open(&self.folder.join(LOCK))?;
        lock.lock()?;
        let mut tokens = self.read()?;
        work(&mut tokens)?;
        let beside = self.folder.join(format!("{FILE}.{}.tmp", std::process::id()));
        let _left_by_a_crash = fs::remove_file(&beside);
        let mut file = open(&beside)?;
        let text = serde_json::to_string_pretty(&Kept { tokens }).map_err(io::Error::other)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.and_then(|()| fs::rename(&beside, self.path())).inspect_err(|_| {
            let _done_with = fs::remove_file(&beside);
        })
    }
}

/// The digest by which a token is known.
pub(crate) fn hex(token: &str) -> String {
    omni_types::hex(&digest_of(token))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{FILE, LOCAL_TOKEN_PREFIX, LocalTokens, hex};

    #[test]
    fn auth_1_one_token_a_client_of_which_only_the_hash_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = LocalTokens::of(&folder.path().join("deep"));
        assert!(tokens.read().unwrap().is_empty() && !tokens.revoke("claude", "f").unwrap());
        let first = tokens.issue("claude", "f").unwrap();
        let other = tokens.issue("cursor", "f").unwrap();
        let second = tokens.issue("claude", "f").unwrap();
        assert!(first.starts_with(LOCAL_TOKEN_PREFIX) && first.len() == LOCAL_TOKEN_PREFIX.len() + 43);
        assert!(first != second);
        let kept = |token: &str| tokens.read().unwrap().iter().any(|one| one.sha256 == hex(token));
        assert!(!kept(&first) && kept(&second) && kept(&other));
        let path = folder.path().join("deep").join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&second[LOCAL_TOKEN_PREFIX.len()..]), "the token itself is not kept");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(tokens.revoke("claude", "f").unwrap() && !kept(&second) && kept(&other));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(tokens.read().is_err(), "who may write it may let himself in");
    }
}
