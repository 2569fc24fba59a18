//! Reading a log: by whoever can read its directory, with or without keys, also while a hub writes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::LogError;
use crate::keys::{FileKek, KeyEncryption, KeyPlaces, Keys, must_not_be_elsewhere};
use crate::note::{Checkpoint, Note, VerifierKey, parse_notes, whole_end};
use crate::record::{Opened, Record, open};
use crate::segment::{Segment, SegmentFile, list};
use crate::tree::Tiles;

/// What origins of logs begin with; the log's id follows, in 32 hexadecimal digits.
pub(crate) const ORIGIN_PREFIX: &str = "omni-mcp-hub/audit/";

/// A log, to read. It takes no lock and writes nothing.
#[derive(Debug)]
pub struct Archive {
    directory: PathBuf,
    id: [u8; 16],
    verifiers: Vec<VerifierKey>,
    key: Option<Arc<dyn KeyEncryption>>,
}

impl Archive {
    /// Opens the log in this directory (`<data>/audit`).
    ///
    /// # Errors
    /// Where there is none.
    pub fn open(directory: &Path) -> Result<Self, LogError> {
        let path = verifier_path(directory);
        let text = fs::read_to_string(&path).map_err(|error| LogError::io("read", &path, error))?;
        let verifiers = text.lines().map(str::parse).collect::<Result<Vec<VerifierKey>, _>>()?;
        let id = verifiers.first().and_then(|key| log_id(key.name()));
        let id = id.ok_or_else(|| LogError::damaged(&path, 0, "it does not name a log"))?;
        Ok(Self { directory: directory.to_owned(), id, verifiers, key: None })
    }

    /// The same, to be read with a key that is kept elsewhere; none where it is beside the log.
    #[must_use]
    pub fn with_key(mut self, key: Option<Arc<dyn KeyEncryption>>) -> Self {
        self.key = key;
        self
    }

    /// Where it lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its id, which all that is sealed is bound to.
    #[must_use]
    pub const fn id(&self) -> &[u8; 16] {
        &self.id
    }

    /// The public keys that the directory says are its own, the oldest first. Whoever doubts the directory takes them
    /// from elsewhere.
    #[must_use]
    pub fn verifiers(&self) -> &[VerifierKey] {
        &self.verifiers
    }

    /// Its segments, in order.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn segments(&self) -> Result<Vec<SegmentFile>, LogError> {
        list(&self.directory)
    }

    /// The hashes of its tree, for proofs.
    #[must_use]
    pub fn tiles(&self) -> Tiles {
        Tiles::of(&self.directory)
    }

    /// The latest checkpoint, with its signatures (which are not checked here).
    ///
    /// # Errors
    /// Where there is none, or it is none.
    pub fn checkpoint(&self) -> Result<(Checkpoint, Note), LogError> {
        let path = checkpoint_path(&self.directory);
        let text = fs::read_to_string(&path).map_err(|error| LogError::io("read", &path, error))?;
        let note = Note::parse(&text).map_err(|error| LogError::damaged(&path, 0, error.to_string()))?;
        Ok((Checkpoint::of(&note)?, note))
    }

    /// The checkpoints that were kept, oldest first, each with the file it stands in.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<(PathBuf, Note)>, LogError> {
        let mut kept = Vec::new();
        for path in checkpoint_files(&self.directory)? {
            let text = fs::read_to_string(&path).map_err(|error| LogError::io("read", &path, error))?;
            // A torn write leaves half a note at the end; the notes before it are whole.
            let notes =
                parse_notes(whole_notes(&text)).map_err(|error| LogError::damaged(&path, 0, error.to_string()))?;
            kept.extend(notes.into_iter().map(|note| (path.clone(), note)));
        }
        Ok(kept)
    }

    /// The keys to open records with, from the directory's own key file unless it was given another.
    ///
    /// # Errors
    /// Where it cannot be read (it is its owner's alone), or is lost.
    pub fn keys(&self) -> Result<Keys, LogError> {
        if let Some(key) = &self.key {
            return self.keys_with(Box::new(Arc::clone(key)));
        }
        let path = KeyPlaces::of(&self.directory).encryption();
        must_not_be_elsewhere(&KeyPlaces::of(&self.directory))?;
        let kek = FileKek::read(&path)?.ok_or_else(|| {
            LogError::Key(format!("{} is not there: records can be verified, not read", path.display()))
        })?;
        self.keys_with(Box::new(kek))
    }

    /// The keys to open records with, unwrapped by `kek`.
    ///
    /// # Errors
    /// Where it is not the key they are wrapped with.
    pub fn keys_with(&self, kek: Box<dyn KeyEncryption>) -> Result<Keys, LogError> {
        Keys::open(&self.directory, self.id, kek)
    }

    /// Opens the bytes of a record.
    ///
    /// # Errors
    /// Where they are none, or the segment's key is lost.
    pub fn open_record(&self, bytes: &[u8], keys: &Keys) -> Result<Opened, LogError> {
        open(&Record::parse(bytes)?, &self.id, keys)
    }

    /// The bytes of record `index`, found by walking its segment.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn record(&self, index: u64) -> Result<Vec<u8>, LogError> {
        let segments = self.segments()?;
        let at = segments.partition_point(|segment| segment.first <= index);
        let file = at.checked_sub(1).and_then(|at| segments.get(at)).ok_or(LogError::NotThere(index))?;
        let mut segment = Segment::open(&file.path)?;
        while let Some(stored) = segment.next_record()? {
            if stored.index == index {
                return Ok(stored.bytes.to_vec());
            }
        }
        Err(LogError::NotThere(index))
    }
}

/// The id in a log's origin.
#[must_use]
pub fn log_id(origin: &str) -> Option<[u8; 16]> {
    let digits = origin.strip_prefix(ORIGIN_PREFIX).filter(|digits| digits.len() == 32)?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

/// The file of the public keys.
pub(crate) fn verifier_path(directory: &Path) -> PathBuf {
    directory.join("log.vkey")
}

/// The file of the latest checkpoint.
pub(crate) fn checkpoint_path(directory: &Path) -> PathBuf {
    directory.join("checkpoint")
}

/// The files of earlier checkpoints, oldest first.
pub(crate) fn checkpoint_files(directory: &Path) -> Result<Vec<PathBuf>, LogError> {
    let folder = directory.join("checkpoints");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| LogError::io("list", &folder, error))?.path();
        files.extend(path.extension().is_some_and(|kind| kind == "notes").then_some(path));
    }
    files.sort();
    Ok(files)
}

/// The text up to the last signature that is whole.
pub(crate) fn whole_notes(text: &str) -> &str {
    text.get(..whole_end(text.as_bytes())).unwrap_or_default()
}
