//! The encrypted local store: what is kept, put in, taken out, and sealed anew.
//!
//! A file of its own and no table of the hub's database: it can be read without a runtime, by a command while the hub runs, and
//! put away or brought back as one thing.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::held::{Held, VALUE_BYTES_MAX};
use crate::local::document::{Document, FORMAT, Sealed};
use crate::local::file::{self, Stamp};
use crate::local::key_file::{self, Holder};
use crate::local::unlock::Unlock;
use crate::seal::{Key, fresh_key};

/// Secrets in one store.
pub const SECRETS_MAX: usize = 2_000;
/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 256;
/// Times that the two files are read until they belong together.
const READS_MAX: usize = 5;
/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The store in one folder.
#[derive(Debug, Clone)]
pub struct LocalStore {
    folder: PathBuf,
    unlock: Arc<Unlock>,
}

/// Who keeps the key that the store's data key is wrapped under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBy {
    /// A file beside the store.
    File,
    /// The same, sealed under a passphrase by Argon2id.
    Passphrase,
    /// The operating system's keychain.
    Keychain,
}

/// What is told of a secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// How many values it has had.
    pub version: u64,
    /// When it got this one, in seconds since 1970.
    pub set_at: u64,
}

/// What is wrong with a store or with what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{}: {why}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What is asked for cannot be.
    #[error("{0}")]
    Refused(String),
}

/// Why a name cannot be a secret's: references have to be able to name it.
#[must_use]
pub fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > NAME_BYTES_MAX {
        Some("it is longer than 256 bytes")
    } else if name.contains(['{', '}', '$', ':', '"', '\\']) || name.chars().any(char::is_control) {
        Some("`{`, `}`, `$`, `:`, `\"`, `\\` and control characters cannot stand in a reference's name")
    } else {
        None
    }
}

impl LocalStore {
    /// The store in `folder`, which need not be there yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), unlock: Arc::new(Unlock::of(&HashMap::new())) }
    }

    /// The same; `unlock` opens its key where the file does not hold it in clear.
    #[must_use]
    pub fn unlocked_by(self, unlock: Unlock) -> Self {
        Self { unlock: Arc::new(unlock), ..self }
    }

    /// Who keeps its key; `None` where there is none yet.
    ///
    /// # Errors
    /// When the key's file cannot be read.
    pub fn kept_by(&self) -> Result<Option<KeptBy>, StoreError> {
        let path = self.key_path();
        let holder = self.at_path(&path, key_file::holder(&path))?;
        Ok(holder.map(|holder| match holder {
            Holder::File => KeptBy::File,
            Holder::Passphrase => KeptBy::Passphrase,
            Holder::Keychain(_) => KeptBy::Keychain,
        }))
    }

    /// Has its key kept by somebody else from now on, who `unlock`s it; a store that is not there yet is begun. The key stays, so
    /// that a copy of the file as it was still opens: [`Self::rotate_key`] ends that.
    ///
    /// # Errors
    /// When the key cannot be opened, or the other one does not take it.
    pub fn keep_by(&self, kept_by: KeptBy, unlock: &Unlock) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        if self.load()?.is_none() {
            let (document, _) = self.begin()?;
            self.write(&document)?;
        }
        let path = self.key_path();
        let (keys, _) = self.at_path(&path, key_file::read(&path, &self.unlock))?;
        let holder = match kept_by {
            KeptBy::File => Holder::File,
            KeptBy::Passphrase => Holder::Passphrase,
            KeptBy::Keychain => Holder::Keychain(self.at_path(&path, key_file::fresh_account())?),
        };
        let keys: Vec<&Key> = keys.iter().collect();
        self.at_path(&path, key_file::write(&path, &keys, &holder, unlock))
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("secrets.json")
    }

    /// The file of the key that it is sealed under.
    #[must_use]
    pub fn key_path(&self) -> PathBuf {
        self.folder.join("secrets.key")
    }

    /// What tells one state of it from another.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        file::stamp(&self.path())
    }

    /// The value of `name`; `None` where there is none.
    ///
    /// # Errors
    /// When the store cannot be read, or its key is not there.
    pub fn value(&self, name: &str) -> Result<Option<Held>, StoreError> {
        let Some((document, key)) = self.load()? else { return Ok(None) };
        let Some(sealed) = document.secrets.get(name) else { return Ok(None) };
        let value = sealed.open(name, &key).ok_or_else(|| self.damaged(name))?;
        Ok(Some(Held::wiped(value)))
    }

    /// What is kept, in the order of names.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let secrets = self.document()?.map(|document| document.secrets).unwrap_or_default();
        let entry = |(name, sealed): (String, Sealed)| Entry { name, version: sealed.version, set_at: sealed.set_at };
        Ok(secrets.into_iter().map(entry).collect())
    }

    /// Puts values in, each in the place of the one before; what is told of each afterwards. All of them, or none.
    ///
    /// # Errors
    /// When one cannot be kept, or the store cannot be written.
    pub fn put(&self, values: &[(String, Held)]) -> Result<Vec<Entry>, StoreError> {
        for (name, value) in values {
            if let Some(why) = name_fault(name) {
                return Err(StoreError::Refused(format!("`{name}` cannot be a secret's name: {why}")));
            }
            let length = value.expose().len();
            if length == 0 || length > VALUE_BYTES_MAX {
                let why = format!("the value of `{name}` has {length} bytes: 1 to {VALUE_BYTES_MAX} are kept");
                return Err(StoreError::Refused(why));
            }
        }
        let _lock = self.lock()?;
        let (mut document, key) = match self.load()? {
            Some(loaded) => loaded,
            None => self.begin()?,
        };
        let set_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut entries = Vec::with_capacity(values.len());
        for (name, value) in values {
            let version = document.secrets.get(name).map_or(0, |before| before.version) + 1;
            let sealed = Sealed::new(name, version, set_at, &key, value.expose()).ok_or_else(no_randomness)?;
            document.secrets.insert(name.clone(), sealed);
            entries.push(Entry { name: name.clone(), version, set_at });
        }
        if document.secrets.len() > SECRETS_MAX {
            return Err(StoreError::Refused(format!("the store holds at most {SECRETS_MAX} secrets")));
        }
        self.write(&document)?;
        Ok(entries)
    }

    /// Takes a secret out; whether it was there.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<bool, StoreError> {
        let _lock = self.lock()?;
        let Some(mut document) = self.document()? else { return Ok(false) };
        if document.secrets.remove(name).is_none() {
            return Ok(false);
        }
        self.write(&document)?;
        Ok(true)
    }

    /// Seals every value anew under a new data key and a new key; how many. At each moment the key that the file needs is there.
    ///
    /// # Errors
    /// When the store cannot be read or written, or a value does not open: then nothing is changed.
    pub fn rotate_key(&self) -> Result<usize, StoreError> {
        let _lock = self.lock()?;
        let Some((document, old)) = self.load()? else { return Ok(0) };
        let (kek, data_key) = (fresh_key().ok_or_else(no_randomness)?, fresh_key().ok_or_else(no_randomness)?);
        let mut renewed = Document::new(key_file::key_id(&kek), &kek, &data_key).ok_or_else(no_randomness)?;
        for (name, sealed) in &document.secrets {
            let value = sealed.open(name, &old).ok_or_else(|| self.damaged(name))?;
            let Sealed { version, set_at, .. } = *sealed;
            let anew = Sealed::new(name, version, set_at, &data_key, &value).ok_or_else(no_randomness)?;
            renewed.secrets.insert(name.clone(), anew);
        }
        let path = self.key_path();
        let (keys, holder) = self.at_path(&path, key_file::read(&path, &self.unlock))?;
        let used = keys.iter().find(|key| key_file::key_id(key) == document.key_id);
        let both: Vec<&Key> = used.into_iter().chain([&kek]).collect();
        self.at_path(&path, key_file::write(&path, &both, &holder, &self.unlock))?;
        self.write(&renewed)?;
        self.at_path(&path, key_file::write(&path, &[&kek], &holder, &self.unlock))?;
        Ok(renewed.secrets.len())
    }

    fn document(&self) -> Result<Option<Document>, StoreError> {
        let path = self.path();
        let Some(text) = self.at_path(&path, file::read(&path, FILE_BYTES_MAX))? else { return Ok(None) };
        let wrong = |why: String| StoreError::File { path: path.clone(), why };
        let document: Document = serde_json::from_str(&text).map_err(|error| wrong(format!("is damaged: {error}")))?;
        if document.format != FORMAT {
            return Err(wrong(format!("is written as `{}`, which this hub does not know", document.format)));
        }
        Ok(Some(document))
    }

    /// The document and its data key. Whoever rotates the key writes two files, one after the other: who reads one before and the
    /// other after has two halves that do not belong together, and reads again.
    fn load(&self) -> Result<Option<(Document, Key)>, StoreError> {
        let mut read = self.load_once();
        for _ in 1..READS_MAX {
            if read.is_ok() {
                break;
            }
            read = self.load_once();
        }
        read
    }

    fn load_once(&self) -> Result<Option<(Document, Key)>, StoreError> {
        let Some(document) = self.document()? else { return Ok(None) };
        let path = self.key_path();
        let (keys, _) = self.at_path(&path, key_file::read(&path, &self.unlock))?;
        let kek = keys.iter().find(|key| key_file::key_id(key) == document.key_id).ok_or_else(|| {
            let why =
                format!("does not hold the key {} that the secrets are sealed under: put it back", document.key_id);
            StoreError::File { path, why }
        })?;
        let data_key = document.unwrap(kek).ok_or_else(|| self.damaged("the data key"))?;
        Ok(Some((document, data_key)))
    }

    /// An empty store; its key is written before anything is sealed under it.
    fn begin(&self) -> Result<(Document, Key), StoreError> {
        let path = self.key_path();
        let kept = self.at_path(&path, key_file::read(&path, &self.unlock))?.0.pop();
        let kek = match kept {
            Some(kek) => kek,
            None => {
                let kek = fresh_key().ok_or_else(no_randomness)?;
                self.at_path(&path, key_file::write(&path, &[&kek], &Holder::File, &self.unlock))?;
                kek
            }
        };
        let data_key = fresh_key().ok_or_else(no_randomness)?;
        let document = Document::new(key_file::key_id(&kek), &kek, &data_key).ok_or_else(no_randomness)?;
        Ok((document, data_key))
    }

    fn write(&self, document: &Document) -> Result<(), StoreError> {
        let text = serde_json::to_string_pretty(document).map_err(|error| StoreError::Refused(error.to_string()))?;
        if text.len() as u64 >= FILE_BYTES_MAX {
            return Err(StoreError::Refused(format!("the store would be larger than {FILE_BYTES_MAX} bytes")));
        }
        let path = self.path();
        self.at_path(&path, file::replace(&path, &(text + "\n")))
    }

    fn lock(&self) -> Result<std::fs::File, StoreError> {
        let path = self.folder.join("secrets.lock");
        self.at_path(&path, file::lock(&path))
    }

    fn at_path<T>(&self, path: &Path, done: io::Result<T>) -> Result<T, StoreError> {
        done.map_err(|error| StoreError::File { path: path.to_owned(), why: error.to_string() })
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::File { path: self.path(), why: format!("{what}: does not open, it was changed: bring a copy back") }
    }
}

fn no_randomness() -> StoreError {
    StoreError::Refused("the system has no randomness to give".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::{KeptBy, LocalStore, name_fault};
    use crate::held::Held;
    use crate::local::unlock::{PASSPHRASE_FILE, Unlock};

    fn put(store: &LocalStore, name: &str, value: &str) -> u64 {
        store.put(&[(name.to_owned(), Held::new(value.to_owned()))]).unwrap()[0].version
    }

    fn value(store: &LocalStore, name: &str) -> Option<String> {
        store.value(name).unwrap().map(|held| held.expose().to_owned())
    }

    #[test]
    fn sec_3_what_is_put_in_comes_out_and_stands_in_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::at(&folder.path().join("data"));
        assert_eq!((value(&store, "a"), store.list().unwrap().len(), store.rotate_key().unwrap()), (None, 0, 0));
        assert_eq!((put(&store, "a", "hunter2"), put(&store, "b c/d", "{\"k\":1}")), (1, 1));
        assert_eq!(put(&store, "a", "hunter3-longer"), 2);
        assert_eq!(value(&store, "a").as_deref(), Some("hunter3-longer"));
        assert_eq!(value(&LocalStore::at(&folder.path().join("data")), "b c/d").as_deref(), Some("{\"k\":1}"));
        for file in folder.path().join("data").read_dir().unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
            assert!(!String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).contains("hunter"), "{file:?}");
        }
        assert!(store.remove("a").unwrap() && !store.remove("a").unwrap());
        assert_eq!(store.list().unwrap().iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["b c/d"]);
    }

    #[test]
    fn sec_3_a_rotated_key_opens_what_was_kept_and_the_old_one_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::at(folder.path());
        put(&store, "a", "hunter2");
        let (old_key, old_file) =
            (std::fs::read(store.key_path()).unwrap(), std::fs::read_to_string(store.path()).unwrap());
        assert_eq!(store.rotate_key().unwrap(), 1);
        assert_eq!(value(&store, "a").as_deref(), Some("hunter2"));
        assert_ne!(std::fs::read_to_string(store.path()).unwrap(), old_file);
        std::fs::write(store.key_path(), old_key).unwrap();
        assert!(store.value("a").unwrap_err().to_string().contains("put it back"));
        std::fs::write(store.path(), old_file).unwrap();
        assert_eq!(value(&store, "a").as_deref(), Some("hunter2"), "a copy of both is a copy of the store");
    }

    #[test]
    fn sec_3_what_was_changed_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::at(folder.path());
        put(&store, "a", "hunter2");
        put(&store, "b", "hunter3");
        let text = std::fs::read_to_string(store.path()).unwrap();
        let mut swapped: serde_json::Value = serde_json::from_str(&text).unwrap();
        swapped["secrets"]["a"] = swapped["secrets"]["b"].clone();
        std::fs::write(store.path(), swapped.to_string()).unwrap();
        assert!(store.value("a").unwrap_err().to_string().contains("it was changed"));
        for (bad, part) in [("{", "damaged"), (&text.replace("omni-secrets-1", "omni-secrets-9"), "does not know")] {
            std::fs::write(store.path(), bad).unwrap();
            assert!(store.value("a").unwrap_err().to_string().contains(part), "{part}");
            assert!(store.put(&[("a".to_owned(), Held::new("x".to_owned()))]).is_err(), "nothing is written over it");
        }
        std::fs::write(store.path(), &text).unwrap();
        std::fs::set_permissions(store.key_path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(store.value("a").unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn sec_3_a_passphrase_opens_the_key_and_another_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        std::fs::write(&file, "correct horse battery\n").unwrap();
        let by_file = || Unlock::of(&[(PASSPHRASE_FILE.to_owned(), file.display().to_string())].into());
        let plain = LocalStore::at(folder.path());
        put(&plain, "a", "hunter2");
        assert_eq!(plain.kept_by().unwrap(), Some(KeptBy::File));
        assert!(plain.keep_by(KeptBy::Passphrase, &Unlock::of(&[].into())).is_err(), "there is no passphrase");
        plain.keep_by(KeptBy::Passphrase, &by_file()).unwrap();
        assert_eq!(plain.kept_by().unwrap(), Some(KeptBy::Passphrase));
        let told = plain.value("a").unwrap_err().to_string();
        assert!(told.contains(PASSPHRASE_FILE), "{told}");
        let sealed = LocalStore::at(folder.path()).unlocked_by(by_file());
        assert_eq!(value(&sealed, "a").as_deref(), Some("hunter2"));
        assert_eq!(sealed.rotate_key().unwrap(), 1);
        assert_eq!((value(&sealed, "a").as_deref(), put(&sealed, "a", "hunter3")), (Some("hunter2"), 2));
        let typed = Unlock::of(&[].into()).with_passphrase(Held::new("another horse".to_owned()));
        let told = LocalStore::at(folder.path()).unlocked_by(typed).value("a").unwrap_err().to_string();
        assert!(told.contains("the passphrase is another one"), "{told}");
        let text = std::fs::read_to_string(plain.key_path()).unwrap();
        for bad in [text.replace("65536,", "99999999,"), text.replace(",3,1", ",2,1"), text.replace("-1+", "-1")] {
            std::fs::write(plain.key_path(), bad).unwrap();
            assert!(LocalStore::at(folder.path()).unlocked_by(by_file()).value("a").is_err());
        }
        std::fs::write(plain.key_path(), text).unwrap();
        sealed.keep_by(KeptBy::File, &by_file()).unwrap();
        assert_eq!(value(&plain, "a").as_deref(), Some("hunter3"));
    }

    #[test]
    fn sec_3_names_can_be_written_in_references() {
        for (name, right) in [
            ("a", true),
            ("db/main password", true),
            ("ü", true),
            ("", false),
            ("a:b", false),
            ("a}", false),
            ("a\"b", false),
            ("a\\b", false),
        ] {
            assert_eq!(name_fault(name).is_none(), right, "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::at(folder.path());
        let wrong = [("ok".to_owned(), Held::new("x".to_owned())), ("no:".to_owned(), Held::new("x".to_owned()))];
        assert!(store.put(&wrong).is_err() && store.list().unwrap().is_empty(), "all or none");
        assert!(store.put(&[("a".to_owned(), Held::new(String::new()))]).is_err());
    }
}
