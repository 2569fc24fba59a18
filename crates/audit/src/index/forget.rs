//! Doing away with the indexes of a log.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::LogError;

/// Takes all indexes of the log in this directory away. They are made again, from what can still be read: after a person was
/// erased, an older one would still tell whoever has the log's keys and guesses a name which records were theirs.
///
/// # Errors
/// Where they cannot be taken away.
pub(crate) fn forget(log: &Path) -> Result<(), LogError> {
    let folder = log.join("index");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LogError::io("take away", &folder, error)),
        _ => Ok(()),
    }
}
