//! Where keys lie, and files that their owner alone may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use omni_types::Principal;

use crate::error::LogError;
use crate::who::Who;

/// The files of a log's keys.
#[derive(Debug, Clone)]
pub struct KeyPlaces {
    folder: PathBuf,
}

impl KeyPlaces {
    /// Those of the log in this directory.
    #[must_use]
    pub fn of(log: &Path) -> Self {
        Self { folder: log.join("keys") }
    }

    /// Their directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The key that wraps the others.
    #[must_use]
    pub fn encryption(&self) -> PathBuf {
        self.folder.join("encryption.key")
    }

    /// The key that signs checkpoints.
    #[must_use]
    pub fn signing(&self) -> PathBuf {
        self.folder.join("signing.key")
    }

    /// The segments' keys, wrapped.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The persons' keys, wrapped.
    #[must_use]
    pub fn persons(&self) -> PathBuf {
        self.folder.join("persons")
    }
}

/// Whose personal fields they are: what their key is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity(String);

impl Identity {
    /// A caller.
    #[must_use]
    pub fn of(principal: &Principal) -> Self {
        Self(principal.binding())
    }

    /// On whose account something happened at `now`. Those who did not say who they are share one a day.
    #[must_use]
    pub fn at(who: &Who, now: SystemTime) -> Self {
        Self(who.person(now))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Makes a directory that its owner alone may enter.
pub(crate) fn secret_folder(path: &Path) -> Result<(), LogError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| LogError::io("make", path, error))
}

/// Reads a small text file; none where there is none.
pub(crate) fn read_secret(path: &Path) -> Result<Option<String>, LogError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("read", path, error)),
    }
}

/// Writes a file (0600) that is there whole or not at all, whenever the machine stops.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<(), LogError> {
    replace(path, text.as_bytes(), 0o600)
}

/// Puts a file in the place of the one of that name: written beside it, made durable, renamed, the name made durable.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), LogError> {
    let draft = path.with_extension("tmp");
    let put = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), sync_folder)
    };
    put().map_err(|error| LogError::io("write", path, error))
}

/// Makes the names in a directory durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
