//! Changing the keys of a log without rewriting it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::entry::{Body, Entry, now_us};
use super::journal::Journal;
use crate::archive::verifier_path;
use crate::error::LogError;
use crate::keys::{FileKek, KeyEncryption, KeyPlaces, Keys, replace, rewrap, sync_folder, write_secret};
use crate::note::SigningKey;
use crate::record::{Field, Value};
use crate::verify::{NEXT_KEY, SIGNED_BY_LAST, SUCCESSION};

impl Journal {
    /// Puts a new signing key in force. A record in clear, with the old key's signature, vouches for it; all checkpoints
    /// after it are signed by the new one.
    pub(super) fn rotate_signing(&mut self) -> Result<String, LogError> {
        let next = SigningKey::generate(self.signer.public().name())?;
        let text = next.public().to_string();
        // In this order, a crash between two steps leaves a key that is vouched for by the last record, or one never used.
        write_secret(&drafted_key(&KeyPlaces::of(&self.directory)), &next.secret_text())?;
        self.signing.remember();
        self.signing.checkpoint()?;
        let signature = self.signer.sign(format!("{SUCCESSION}{text}").as_bytes());
        let fields = vec![
            Field::hub("action", Value::from("log/rotate-key")),
            Field::hub(NEXT_KEY, Value::Text(text.clone())),
            Field::hub(SIGNED_BY_LAST, Value::Text(STANDARD.encode(signature))),
        ];
        self.commit(&[Entry { time_us: now_us(), body: Body::Plain(fields), who: None }])?;
        enthrone(&self.directory, &next)?;
        self.signer = Arc::new(next);
        self.signing.replace_key(Arc::clone(&self.signer));
        self.signing.checkpoint()?;
        Ok(text)
    }

    /// Wraps all data keys with a new key.
    pub(super) fn rotate_encryption(&mut self) -> Result<(), LogError> {
        if self.key_elsewhere {
            let what = "the encryption key is kept elsewhere: put a new one there (`omni audit make-key`), name it in audit.keys.encryption and the one before in audit.keys.encryption_before, and start the hub again";
            return Err(LogError::Key(what.to_owned()));
        }
        let places = KeyPlaces::of(&self.directory);
        let old = FileKek::read(&places.encryption())?
            .ok_or_else(|| LogError::Key(format!("{} is not there", places.encryption().display())))?;
        let next = FileKek::generate()?;
        next.write(&next_kek(&places))?;
        finish_encryption(&self.directory, &self.log, &old, &next)?;
        self.keys = Keys::open_or_create(&self.directory, self.log, Box::new(next))?;
        // What comes now is sealed with a data key that the old one never wrapped.
        if self.open.take().is_some() {
            self.signing.remember();
        }
        Ok(())
    }
}

/// Where the next signing key lies until a record vouches for it.
pub(super) fn drafted_key(places: &KeyPlaces) -> PathBuf {
    places.signing().with_extension("next")
}

/// Puts the drafted signing key, which a record vouches for, in the place of the old one.
pub(super) fn enthrone(directory: &Path, next: &SigningKey) -> Result<(), LogError> {
    let (path, places) = (verifier_path(directory), KeyPlaces::of(directory));
    let known = fs::read_to_string(&path).map_err(|error| LogError::io("read", &path, error))?;
    let line = next.public().to_string();
    if !known.lines().any(|known| known == line) {
        replace(&path, format!("{known}{line}\n").as_bytes(), 0o644)?;
    }
    let renamed = fs::rename(drafted_key(&places), places.signing()).and_then(|()| sync_folder(places.folder()));
    renamed.map_err(|error| LogError::io("write", &places.signing(), error))
}

/// Where the next encryption key lies until all keys are wrapped with it.
pub(super) fn next_kek(places: &KeyPlaces) -> PathBuf {
    places.encryption().with_extension("next")
}

/// Wraps what the old key still wraps, then puts the new one in its place. Where that was interrupted it is done again.
pub(super) fn finish_encryption(
    directory: &Path,
    log: &[u8; 16],
    old: &dyn KeyEncryption,
    next: &FileKek,
) -> Result<(), LogError> {
    rewrap(directory, log, old, next)?;
    let places = KeyPlaces::of(directory);
    let renamed = fs::rename(next_kek(&places), places.encryption()).and_then(|()| sync_folder(places.folder()));
    renamed.map_err(|error| LogError::io("write", &places.encryption(), error))
}
