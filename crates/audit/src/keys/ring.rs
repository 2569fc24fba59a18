//! The keys of a log, unwrapped as they are asked for.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aws_lc_rs::hmac;

use super::kek::{KeyEncryption, random};
use super::key_file::{KeyFile, KeyKind, Tag, Wrapped};
use super::place::{Identity, KeyPlaces, secret_folder};
use crate::error::LogError;
use crate::record::{KeyId, KeySource, Seal};

const CONTEXT: &[u8] = b"omni-audit/1 key";
/// The id of the key that persons are found by; data keys have random ones.
const TAG_KEY: KeyId = [0; 8];
/// Unwrapped keys of persons that are held at most.
const HELD_MAX: usize = 4096;

/// The keys of a log.
#[derive(Debug)]
pub struct Keys {
    log: [u8; 16],
    kek: Box<dyn KeyEncryption>,
    data: RwLock<KeyFile>,
    persons: RwLock<KeyFile>,
    tag_key: [u8; 32],
    held: Mutex<HashMap<Tag, (KeyId, [u8; 32])>>,
}

impl Keys {
    /// The keys of the log in this directory, to read it.
    ///
    /// # Errors
    /// Where they cannot be read, or `kek` is not the key they are wrapped with.
    pub fn open(directory: &Path, log: [u8; 16], kek: Box<dyn KeyEncryption>) -> Result<Self, LogError> {
        Self::of(directory, log, kek, false)
    }

    /// The same to write; makes what is not there yet.
    pub(crate) fn open_or_create(
        directory: &Path,
        log: [u8; 16],
        kek: Box<dyn KeyEncryption>,
    ) -> Result<Self, LogError> {
        secret_folder(KeyPlaces::of(directory).folder())?;
        Self::of(directory, log, kek, true)
    }

    fn of(directory: &Path, log: [u8; 16], kek: Box<dyn KeyEncryption>, create: bool) -> Result<Self, LogError> {
        let places = KeyPlaces::of(directory);
        let mut data = KeyFile::open(&places.data(), create)?;
        let persons = KeyFile::open(&places.persons(), create)?;
        let tag_key = match data.read(&TAG_KEY)? {
            Some(wrapped) => unwrap(&*kek, &log, &wrapped)?,
            None if create => {
                let key = random()?;
                data.append(&wrap(&*kek, &log, (KeyKind::Tag, TAG_KEY, Tag::default()), &key)?)?;
                key
            }
            None => return Err(LogError::Key(format!("{} has no keys yet", places.data().display()))),
        };
        let held = Mutex::new(HashMap::new());
        Ok(Self { log, kek, data: RwLock::new(data), persons: RwLock::new(persons), tag_key, held })
    }

    /// A key that indexes may blind their words with; the same as long as the log lives.
    #[must_use]
    pub fn index_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.tag_key), b"omni-audit/1 index");
        key.copy_from_slice(signed.as_ref());
        key
    }

    /// A new key for a segment, durable when this returns.
    pub(crate) fn new_data_key(&self) -> Result<Seal, LogError> {
        let (id, key) = (random()?, random()?);
        let wrapped = wrap(&*self.kek, &self.log, (KeyKind::Data, id, Tag::default()), &key)?;
        self.data.write().unwrap_or_else(PoisonError::into_inner).append(&wrapped)?;
        Seal::new(id, &key)
    }

    /// A person's key, made and durable where there was none.
    pub(crate) fn seal_of(&self, identity: &Identity) -> Result<Seal, LogError> {
        let tag = self.tag(identity);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, key)) = held.get(&tag) {
            return Seal::new(*id, key);
        }
        let mut persons = self.persons.write().unwrap_or_else(PoisonError::into_inner);
        // A key that was erased or does not unwrap any more is not taken up again: the person gets a new one.
        let known = persons.by_tag(&tag).and_then(|id| Some((id, self.unwrap_person(&persons, &id).ok()??)));
        let (id, key) = match known {
            Some(known) => known,
            None => {
                let (id, key) = (random()?, random()?);
                persons.append(&wrap(&*self.kek, &self.log, (KeyKind::Person, id, tag), &key)?)?;
                (id, key)
            }
        };
        if held.len() == HELD_MAX {
            held.clear();
        }
        held.insert(tag, (id, key));
        Seal::new(id, &key)
    }

    /// Erases a person's key: what was sealed with it can be read by nobody any more. False where there was none.
    pub(crate) fn erase(&self, identity: &Identity) -> Result<bool, LogError> {
        let tag = self.tag(identity);
        let mut persons = self.persons.write().unwrap_or_else(PoisonError::into_inner);
        let Some(id) = persons.by_tag(&tag) else { return Ok(false) };
        let mut keys = persons.all()?;
        keys.iter_mut().filter(|key| key.id == id).for_each(|key| *key = Wrapped::erased(id));
        persons.rewrite(&keys)?;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&tag);
        Ok(true)
    }

    fn tag(&self, identity: &Identity) -> Tag {
        let mut tag = Tag::default();
        let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.tag_key), identity.as_bytes());
        tag.copy_from_slice(&signed.as_ref()[..16]);
        tag
    }

    fn unwrap_person(&self, persons: &KeyFile, id: &KeyId) -> Result<Option<[u8; 32]>, LogError> {
        match persons.read(id)? {
            None => Err(LogError::Key(format!("the person's key {:016x} is lost", u64::from_be_bytes(*id)))),
            Some(wrapped) if wrapped.kind == KeyKind::Erased => Ok(None),
            Some(wrapped) => unwrap(&*self.kek, &self.log, &wrapped).map(Some),
        }
    }
}

impl KeySource for Keys {
    fn data_key(&self, id: &KeyId) -> Result<Arc<Seal>, LogError> {
        let mut wrapped = self.data.read().unwrap_or_else(PoisonError::into_inner).read(id)?;
        if wrapped.is_none() {
            refresh(&self.data)?;
            wrapped = self.data.read().unwrap_or_else(PoisonError::into_inner).read(id)?;
        }
        let number = u64::from_be_bytes(*id);
        let wrapped = wrapped.ok_or_else(|| LogError::Key(format!("the data key {number:016x} is lost")))?;
        Seal::new(*id, &unwrap(&*self.kek, &self.log, &wrapped)?).map(Arc::new)
    }

    fn person_key(&self, id: &KeyId) -> Result<Option<Arc<Seal>>, LogError> {
        // Asked each time, since a key may have been erased by another process.
        refresh(&self.persons)?;
        let persons = self.persons.read().unwrap_or_else(PoisonError::into_inner);
        self.unwrap_person(&persons, id)?.map(|key| Seal::new(*id, &key).map(Arc::new)).transpose()
    }
}

/// Wraps all keys that are wrapped with `old` with `new`. It may be run again where it was interrupted.
pub(crate) fn rewrap(
    directory: &Path,
    log: &[u8; 16],
    old: &dyn KeyEncryption,
    new: &dyn KeyEncryption,
) -> Result<(), LogError> {
    let places = KeyPlaces::of(directory);
    for path in [places.data(), places.persons()] {
        let mut file = KeyFile::open(&path, true)?;
        let mut keys = file.all()?;
        for key in keys.iter_mut().filter(|key| key.kind != KeyKind::Erased && key.kek == old.id()) {
            let plain = unwrap(old, log, key)?;
            *key = wrap(new, log, (key.kind, key.id, key.tag), &plain)?;
        }
        file.rewrite(&keys)?;
    }
    Ok(())
}

fn refresh(file: &RwLock<KeyFile>) -> Result<(), LogError> {
    let newer = file.read().unwrap_or_else(PoisonError::into_inner).refreshed()?;
    if let Some(newer) = newer {
        *file.write().unwrap_or_else(PoisonError::into_inner) = newer;
    }
    Ok(())
}

fn wrap(
    kek: &dyn KeyEncryption,
    log: &[u8; 16],
    (kind, id, tag): (KeyKind, KeyId, Tag),
    key: &[u8; 32],
) -> Result<Wrapped, LogError> {
    let bytes = kek.wrap(&context(log, kind, &id, &tag), key)?;
    Ok(Wrapped { kind, id, tag, kek: kek.id(), bytes })
}

fn unwrap(kek: &dyn KeyEncryption, log: &[u8; 16], key: &Wrapped) -> Result<[u8; 32], LogError> {
    if key.kek != kek.id() {
        let (needs, has) = (u64::from_be_bytes(key.kek), u64::from_be_bytes(kek.id()));
        let text = format!("a data key is wrapped with the encryption key {needs:016x}, and this one is {has:016x}");
        return Err(LogError::Key(text));
    }
    kek.unwrap(&context(log, key.kind, &key.id, &key.tag), &key.bytes)
}

fn context(log: &[u8; 16], kind: KeyKind, id: &KeyId, tag: &Tag) -> Vec<u8> {
    [CONTEXT, log, &[kind as u8], id, tag].concat()
}
