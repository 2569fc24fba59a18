//! Opening a log to write: its lock, its name, its keys, and what a crash left.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use super::disk::Disk;
use super::entry::now_us;
use super::journal::Journal;
use super::persons::Persons;
use super::queue::Queue;
use super::recovery::{recover, resume};
use super::rotation::{drafted_key, enthrone, finish_encryption, next_kek};
use super::settings::LogSettings;
use super::signing::{Signer, Signing};
use super::turns::Turns;
use crate::archive::{ORIGIN_PREFIX, log_id, verifier_path};
use crate::error::LogError;
use crate::keys::{
    FileKek, KeyElsewhere, KeyEncryption as _, KeyPlaces, Keys, forget_file, mark, must_not_be_elsewhere, random,
    replace, rewrap, secret_folder, write_secret,
};
use crate::note::{SigningKey, VerifierKey};
use crate::segment::{Segment, list};

/// Opens the log, or begins one. What was found comes back as sentences for the operator.
pub(super) fn open(
    settings: &LogSettings,
    disk: Arc<dyn Disk>,
    queue: &Arc<Queue>,
) -> Result<(Journal, Vec<String>), LogError> {
    let directory = settings.directory.clone();
    secret_folder(&directory)?;
    let lock = lock(&directory)?;
    let mut notices = Vec::new();
    secret_folder(KeyPlaces::of(&directory).folder())?;
    secret_folder(&directory.join("log"))?;
    let (signer, verifiers) = signer(&directory, &mut notices)?;
    let log = log_id(signer.public().name())
        .ok_or_else(|| LogError::Key(format!("the signing key {} is not one of an audit log", signer.public())))?;
    let keys = match &settings.key_elsewhere {
        Some(key) => keys_elsewhere(&directory, log, key, &mut notices)?,
        None => keys(&directory, log, &mut notices)?,
    };
    let found = recover(&directory, &log, (signer.public(), &verifiers), &mut notices)?;
    let key = Arc::new(finish_rotation(&directory, signer, found.successor.as_ref())?);
    let open = match found.last {
        Some(last) => resume(&last, &keys, &mut notices)?,
        None => None,
    };
    let size = found.frontier.size();
    let signer = Signer {
        directory: directory.clone(),
        key: Arc::clone(&key),
        frontier: found.frontier,
        tiles: found.tiles,
        signed: found.signed,
        history_us: 0,
    };
    let signing = Signing::start(signer, settings.checkpoint_every, Arc::clone(queue))?;
    let journal = Journal {
        directory,
        log,
        keys,
        signer: key,
        disk,
        size,
        signing,
        open,
        persons: Persons::default(),
        turns: Turns::default(),
        room: Vec::new(),
        segment_bytes_max: settings.segment_bytes_max,
        retention_us: Arc::new(u64::try_from(settings.retention.as_micros()).unwrap_or(u64::MAX).into()),
        key_elsewhere: settings.key_elsewhere.is_some(),
        _lock: lock,
    };
    Ok((journal, notices))
}

fn lock(directory: &Path) -> Result<File, LogError> {
    let path = directory.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|error| LogError::io("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(LogError::io("lock", &path, error)),
    }
}

/// The key that signs, and all public keys of the log, the oldest first.
fn signer(directory: &Path, notices: &mut Vec<String>) -> Result<(SigningKey, Vec<VerifierKey>), LogError> {
    let (path, secret) = (verifier_path(directory), KeyPlaces::of(directory).signing());
    let mut text = fs::read_to_string(&path).unwrap_or_default();
    let mut verifiers = text.lines().map(str::parse).collect::<Result<Vec<VerifierKey>, _>>()?;
    let signer = match fs::read_to_string(&secret) {
        Ok(text) => SigningKey::from_secret_text(&text)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(LogError::io("read", &secret, error)),
        Err(_) => {
            let origin = match verifiers.last() {
                Some(key) => key.name().to_owned(),
                None => origin(directory)?,
            };
            let key = SigningKey::generate(&origin)?;
            write_secret(&secret, &key.secret_text())?;
            if !verifiers.is_empty() {
                notices
                    .push(format!("the signing key is lost: checkpoints are signed by {} from now on", key.public()));
            }
            key
        }
    };
    if !verifiers.contains(signer.public()) {
        text.push_str(&format!("{}\n", signer.public()));
        replace(&path, text.as_bytes(), 0o644)?;
        verifiers.push(signer.public().clone());
    }
    Ok((signer, verifiers))
}

/// Where a rotation was interrupted after its record the new key is in force; before it, the new key was never used.
fn finish_rotation(directory: &Path, signer: SigningKey, next: Option<&VerifierKey>) -> Result<SigningKey, LogError> {
    let drafted = drafted_key(&KeyPlaces::of(directory));
    let Ok(text) = fs::read_to_string(&drafted) else { return Ok(signer) };
    let draft = SigningKey::from_secret_text(&text)?;
    if next != Some(draft.public()) {
        fs::remove_file(&drafted).map_err(|error| LogError::io("remove", &drafted, error))?;
        return Ok(signer);
    }
    enthrone(directory, &draft)?;
    Ok(draft)
}

/// The origin of a log that has no keys: from its segments, where it has some.
fn origin(directory: &Path) -> Result<String, LogError> {
    let id = match list(directory)?.first() {
        Some(segment) => Segment::open(&segment.path)?.header().log,
        None => random()?,
    };
    Ok(format!("{ORIGIN_PREFIX}{:032x}", u128::from_be_bytes(id)))
}

/// The keys under one that is kept elsewhere. What the one before wrapped, or one that lay beside the log, is wrapped anew first.
fn keys_elsewhere(
    directory: &Path,
    log: [u8; 16],
    key: &KeyElsewhere,
    notices: &mut Vec<String>,
) -> Result<Keys, LogError> {
    let places = KeyPlaces::of(directory);
    for beside in [next_kek(&places), places.encryption()] {
        if let Some(file) = FileKek::read(&beside)? {
            rewrap(directory, &log, &file, &key.current)?;
            notices.push(format!(
                "the data keys are wrapped with the key that is kept elsewhere; {} goes",
                beside.display()
            ));
        }
    }
    if let Some(before) = &key.before {
        rewrap(directory, &log, before, &key.current)?;
    }
    let keys = Keys::open_or_create(directory, log, Box::new(Arc::clone(&key.current)))?;
    mark(&places, key.current.id())?;
    // Only now: until here it may still be wanted.
    let drafted = next_kek(&places);
    if drafted.exists() {
        fs::remove_file(&drafted).map_err(|error| LogError::io("remove", &drafted, error))?;
    }
    forget_file(&places)?;
    Ok(keys)
}

fn keys(directory: &Path, log: [u8; 16], notices: &mut Vec<String>) -> Result<Keys, LogError> {
    let places = KeyPlaces::of(directory);
    let current = FileKek::read(&places.encryption())?;
    let kek = match (current, FileKek::read(&next_kek(&places))?) {
        (Some(old), Some(next)) => {
            finish_encryption(directory, &log, &old, &next)?;
            next
        }
        (Some(kek), None) => kek,
        (None, _) => {
            must_not_be_elsewhere(&places)?;
            for path in [places.data(), places.persons()] {
                if fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
                    let aside = path.with_extension(format!("lost-{}", now_us()));
                    fs::rename(&path, &aside).map_err(|error| LogError::io("move aside", &path, error))?;
                    notices.push(format!(
                        "the encryption key is lost: records up to now can be verified and not read; the keys it wrapped are in {}",
                        aside.display()
                    ));
                }
            }
            let kek = FileKek::generate()?;
            kek.write(&places.encryption())?;
            kek
        }
    };
    Keys::open_or_create(directory, log, Box::new(kek))
}
