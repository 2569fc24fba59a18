//! A file of wrapped keys: appended to as keys come, written anew where one is erased or all are wrapped anew.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::place::replace;
use crate::error::LogError;
use crate::frame::{self, FRAME_HEAD_LEN, Frame};
use crate::record::KeyId;

const HEAD_LEN: usize = 33;

/// What a key is for. Its number stands in the file, and in what it is bound to when it is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum KeyKind {
    Data = 1,
    Person = 2,
    /// What persons are found by.
    Tag = 3,
    /// A person's key was here.
    Erased = 4,
}

impl KeyKind {
    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Data,
            2 => Self::Person,
            3 => Self::Tag,
            4 => Self::Erased,
            _ => return None,
        })
    }
}

/// What persons are found by: a keyed digest of who they are.
pub(super) type Tag = [u8; 16];

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrapped {
    pub(super) kind: KeyKind,
    pub(super) id: KeyId,
    pub(super) tag: Tag,
    /// The key it is wrapped with.
    pub(super) kek: [u8; 8],
    pub(super) bytes: Vec<u8>,
}

impl Wrapped {
    pub(super) fn erased(id: KeyId) -> Self {
        Self { kind: KeyKind::Erased, id, tag: Tag::default(), kek: [0; 8], bytes: Vec::new() }
    }

    fn encode(&self) -> Vec<u8> {
        [&[self.kind as u8], self.id.as_slice(), &self.tag, &self.kek, &self.bytes].concat()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
        let kind = KeyKind::of(head[0])?;
        Some(Self {
            kind,
            id: head[1..9].try_into().ok()?,
            tag: head[9..25].try_into().ok()?,
            kek: head[25..33].try_into().ok()?,
            bytes: rest.to_vec(),
        })
    }
}

/// The keys of a file: where each is, not the keys themselves.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    file: File,
    /// Which file it was, and how long, when it was read.
    seen: (u64, u64),
    places: HashMap<KeyId, u64>,
    tags: HashMap<Tag, KeyId>,
}

impl KeyFile {
    /// Opens a file to read; an empty one where there is none is made if `create`.
    pub(super) fn open(path: &Path, create: bool) -> Result<Self, LogError> {
        let failed = |error| LogError::io("open", path, error);
        let file = if create {
            let options = OpenOptions::new().read(true).append(true).create(true).mode(0o600).to_owned();
            options.open(path).map_err(failed)?
        } else {
            File::open(path).map_err(failed)?
        };
        let bytes = fs::read(path).map_err(|error| LogError::io("read", path, error))?;
        let metadata = file.metadata().map_err(failed)?;
        let mut keys = Self {
            path: path.to_owned(),
            file,
            seen: (metadata.ino(), metadata.len()),
            places: HashMap::new(),
            tags: HashMap::new(),
        };
        let mut at = 0;
        loop {
            match frame::first(&bytes[at..]) {
                Frame::Whole(content) => {
                    let key = Wrapped::parse(content)
                        .ok_or_else(|| LogError::damaged(path, at as u64, "an entry is no wrapped key"))?;
                    keys.learn(&key, at as u64);
                    at += FRAME_HEAD_LEN + content.len();
                }
                Frame::End => return Ok(keys),
                // Nothing was sealed with a key that was not durable, so a torn end loses nothing.
                _ if create => {
                    keys.file.set_len(at as u64).map_err(|error| LogError::io("shorten", path, error))?;
                    return Ok(keys);
                }
                _ => return Ok(keys),
            }
        }
    }

    fn learn(&mut self, key: &Wrapped, at: u64) {
        self.places.insert(key.id, at);
        if key.kind == KeyKind::Person {
            self.tags.insert(key.tag, key.id);
        }
    }

    /// Reads the file again where another process put a new one in its place, or added to it.
    pub(super) fn refreshed(&self) -> Result<Option<Self>, LogError> {
        let metadata = fs::metadata(&self.path).map_err(|error| LogError::io("read", &self.path, error))?;
        if (metadata.ino(), metadata.len()) == self.seen { Ok(None) } else { Self::open(&self.path, false).map(Some) }
    }

    pub(super) fn by_tag(&self, tag: &Tag) -> Option<KeyId> {
        self.tags.get(tag).copied()
    }

    /// The key of this id, as it is stored.
    pub(super) fn read(&self, id: &KeyId) -> Result<Option<Wrapped>, LogError> {
        let Some(&at) = self.places.get(id) else { return Ok(None) };
        let failed = |error| LogError::io("read", &self.path, error);
        let mut head = [0; FRAME_HEAD_LEN];
        self.file.read_exact_at(&mut head, at).map_err(failed)?;
        let mut bytes = vec![0; FRAME_HEAD_LEN + usize::from(u16::from_be_bytes([head[0], head[1]]))];
        self.file.read_exact_at(&mut bytes, at).map_err(failed)?;
        match frame::first(&bytes) {
            Frame::Whole(content) => Ok(Wrapped::parse(content)),
            _ => Err(LogError::damaged(&self.path, at, "the checksum of a wrapped key does not fit")),
        }
    }

    /// All of them, as they are stored.
    pub(super) fn all(&self) -> Result<Vec<Wrapped>, LogError> {
        let mut places: Vec<_> = self.places.iter().collect();
        places.sort_unstable_by_key(|(_, at)| **at);
        places.into_iter().filter_map(|(id, _)| self.read(id).transpose()).collect()
    }

    /// Adds a key, durably.
    pub(super) fn append(&mut self, key: &Wrapped) -> Result<(), LogError> {
        let failed = |error| LogError::io("append to", &self.path, error);
        let at = self.file.metadata().map_err(failed)?.len();
        let mut bytes = Vec::new();
        frame::push(&mut bytes, &key.encode());
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            // What stands there must not be taken for a key that others were told of.
            let _again = self.file.set_len(at);
            return Err(failed(error));
        }
        self.learn(key, at);
        self.seen.1 = at + bytes.len() as u64;
        Ok(())
    }

    /// Puts these keys in the place of all.
    pub(super) fn rewrite(&mut self, keys: &[Wrapped]) -> Result<(), LogError> {
        let mut bytes = Vec::new();
        keys.iter().for_each(|key| frame::push(&mut bytes, &key.encode()));
        replace(&self.path, &bytes, 0o600)?;
        *self = Self::open(&self.path, true)?;
        Ok(())
    }
}
