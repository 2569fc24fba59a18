//! An encryption key that is kept elsewhere than beside the log: who asks for it hands it over, and it is written nowhere.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::kek::KeyEncryption;
use super::place::{KeyPlaces, replace, sync_folder};
use crate::error::LogError;

/// A key from elsewhere, and the one before it where that one may still wrap something.
#[derive(Debug, Clone)]
pub struct KeyElsewhere {
    /// What wraps from now on.
    pub current: Arc<dyn KeyEncryption>,
    /// What wrapped before.
    pub before: Option<Arc<dyn KeyEncryption>>,
}

/// Says beside the log that its key is elsewhere, so that nobody takes it for lost. It holds no secret.
fn mark_path(places: &KeyPlaces) -> PathBuf {
    places.folder().join("encryption.elsewhere")
}

/// # Errors
/// Where the key of this log is elsewhere, and nobody handed it over.
pub(crate) fn must_not_be_elsewhere(places: &KeyPlaces) -> Result<(), LogError> {
    let mark = mark_path(places);
    if mark.exists() {
        return Err(LogError::Key(format!(
            "its encryption key is kept elsewhere, says {}: name it in audit.keys.encryption",
            mark.display()
        )));
    }
    Ok(())
}

pub(crate) fn mark(places: &KeyPlaces, id: [u8; 8]) -> Result<(), LogError> {
    let text = format!("the data keys are wrapped with the key {:016x}\n", u64::from_be_bytes(id));
    let path = mark_path(places);
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    replace(&path, text.as_bytes(), 0o600)
}

/// Takes away the key that lay beside the log. Nothing is wrapped with it any more.
pub(crate) fn forget_file(places: &KeyPlaces) -> Result<(), LogError> {
    let path = places.encryption();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LogError::io("remove", &path, error)),
        _ => sync_folder(places.folder()).map_err(|error| LogError::io("remove", &path, error)),
    }
}
