//! What opens the store's key where its file does not hold it in clear: a passphrase, or the system's keychain.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::held::Held;
use crate::keychain::{Keychain, SERVICE};
use crate::seal::Key;

/// The variable that names the file of the passphrase.
pub const PASSPHRASE_FILE: &str = "OMNI_PASSPHRASE_FILE";
/// Bytes of a passphrase.
const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Shorter ones are guessed.
const PASSPHRASE_BYTES_MIN: usize = 8;

/// What opens the store's key.
pub struct Unlock {
    file: Option<PathBuf>,
    given: Option<Held>,
    keychain: Keychain,
    /// The keys that a passphrase has opened, and the file's text that they stand sealed in: a passphrase is dear to check.
    opened: Mutex<Option<(String, Vec<Key>)>>,
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unlock({})", self.keychain.name())
    }
}

impl Unlock {
    /// As these variables say: `OMNI_PASSPHRASE_FILE`, and the session's keychain.
    #[must_use]
    pub fn of(variables: &HashMap<String, String>) -> Self {
        let file = variables.get(PASSPHRASE_FILE).filter(|file| !file.is_empty()).map(PathBuf::from);
        Self { file, given: None, keychain: Keychain::of(SERVICE, variables), opened: Mutex::default() }
    }

    /// The same with a passphrase that somebody typed.
    #[must_use]
    pub fn with_passphrase(self, passphrase: Held) -> Self {
        Self { given: Some(passphrase), ..self }
    }

    /// Whether there is a passphrase to be tried.
    #[must_use]
    pub const fn has_passphrase(&self) -> bool {
        self.file.is_some() || self.given.is_some()
    }

    pub(crate) const fn keychain(&self) -> &Keychain {
        &self.keychain
    }

    /// The passphrase.
    pub(crate) fn passphrase(&self) -> io::Result<Held> {
        let held = match (&self.given, &self.file) {
            (Some(given), _) => given.clone(),
            (None, Some(path)) => {
                let wrong = |why: String| io::Error::other(format!("{PASSPHRASE_FILE}: {}: {why}", path.display()));
                let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
                let mut text = Zeroizing::new(String::with_capacity(PASSPHRASE_BYTES_MAX + 2));
                file.take(PASSPHRASE_BYTES_MAX as u64 + 2)
                    .read_to_string(&mut text)
                    .map_err(|error| wrong(error.to_string()))?;
                Held::new(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            (None, None) => {
                let why = format!("is sealed under a passphrase: name the file that holds it in {PASSPHRASE_FILE}");
                return Err(io::Error::other(why));
            }
        };
        match held.expose().len() {
            PASSPHRASE_BYTES_MIN..=PASSPHRASE_BYTES_MAX => Ok(held),
            length => Err(io::Error::other(format!(
                "the passphrase has {length} bytes: {PASSPHRASE_BYTES_MIN} to {PASSPHRASE_BYTES_MAX} are taken"
            ))),
        }
    }

    /// The keys that were opened out of `text` before.
    pub(crate) fn opened(&self, text: &str) -> Option<Vec<Key>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.as_ref().filter(|(of, _)| of == text).map(|(_, keys)| keys.clone())
    }

    pub(crate) fn remember(&self, text: &str, keys: &[Key]) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        *opened = Some((text.to_owned(), keys.to_vec()));
    }
}
