//! The log as it is written: one segment that grows, the tree's right edge, the keys.

use std::fs::{self, File, OpenOptions};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::Disk;
use super::entry::{Body, Entry};
use super::persons::Persons;
use super::signing::Signing;
use super::turns::Turns;
use crate::error::LogError;
use crate::frame;
use crate::index::forget;
use crate::keys::{Identity, Keys, sync_folder};
use crate::note::SigningKey;
use crate::record::{PlainRecord, Seal};
use crate::segment::{SEGMENT_HEADER_LEN, SegmentHeader, day_of, segment_path};
use crate::tree::{Hash, leaf_hash};

/// Room that is kept from one commit to the next.
const ROOM_BYTES_MAX: usize = 256 << 10;

/// The log as it is written. Whatever fails, what was durable stays, and the same commit may be tried again.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) directory: PathBuf,
    pub(super) log: [u8; 16],
    pub(super) keys: Keys,
    pub(super) signer: Arc<SigningKey>,
    pub(super) disk: Arc<dyn Disk>,
    /// Records that are durable: the index of the next one.
    pub(super) size: u64,
    /// Before the lock: what it still writes, it writes under it.
    pub(super) signing: Signing,
    pub(super) open: Option<OpenSegment>,
    pub(super) persons: Persons,
    pub(super) turns: Turns,
    /// Room that commits are made in.
    pub(super) room: Vec<u8>,
    pub(super) segment_bytes_max: u64,
    pub(super) retention_us: Arc<AtomicU64>,
    /// Its encryption key is not for the log to change.
    pub(super) key_elsewhere: bool,
    /// Held as long as the log is written.
    pub(super) _lock: File,
}

/// The segment that grows.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(super) file: File,
    pub(super) day: String,
    /// Bytes that are durable.
    pub(super) length: u64,
    pub(super) data: Arc<Seal>,
}

impl Journal {
    /// Erases a person's key, and the indexes that their records are found by.
    pub(super) fn erase(&mut self, identity: &Identity) -> Result<bool, LogError> {
        self.persons.let_go();
        let erased = self.keys.erase(identity)?;
        // Also where the key was gone already: what was tried before may have ended between the two.
        forget(&self.directory)?;
        Ok(erased)
    }

    /// Writes entries and makes them durable: all or none.
    pub(super) fn commit(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        let Some(first) = entries.first() else { return Ok(()) };
        let mut open = self.segment(first.time_us)?;
        let mut bytes = mem::take(&mut self.room);
        bytes.clear();
        let mut leaves = Vec::with_capacity(entries.len());
        for (index, entry) in (self.size..).zip(entries) {
            match self.encode(index, entry, &open.data, &mut bytes) {
                Ok(leaf) => leaves.push(leaf),
                Err(error) => {
                    // Nothing was written: the segment goes on.
                    self.open = Some(open);
                    return Err(error);
                }
            }
            self.turns.after(leaves.len(), entries.len());
        }
        if let Err(error) = self.disk.write(&mut open.file, &bytes) {
            // Part of it may stand there. Where it can be cut off the segment goes on; else a new one is begun.
            if self.disk.shorten(&open.file, open.length).is_ok() {
                self.open = Some(open);
            }
            return Err(LogError::io("write", &self.directory, error));
        }
        if let Err(error) = self.disk.sync(&open.file) {
            // After a failed sync the kernel may hold for written what is not: nothing since the last good one is believed,
            // the file is left alone, and the same records are written to a new one.
            let _best_effort = self.disk.shorten(&open.file, open.length);
            return Err(LogError::io("make durable what was written to", &self.directory, error));
        }
        open.length += bytes.len() as u64;
        self.open = Some(open);
        self.size += leaves.len() as u64;
        self.signing.append(&leaves);
        bytes.shrink_to(ROOM_BYTES_MAX);
        self.room = bytes;
        Ok(())
    }

    /// Appends an entry's frame, and gives its leaf.
    fn encode(&mut self, index: u64, entry: &Entry, data: &Seal, bytes: &mut Vec<u8>) -> Result<Hash, LogError> {
        let time_us = entry.time_us;
        let person = match &entry.who {
            Some(who) => Some(self.persons.seal_of(&self.keys, who, time_us)?),
            None => None,
        };
        let begin = frame::begin(bytes);
        match &entry.body {
            Body::Draft(draft) => draft.seal((index, time_us), &self.log, (data, person.as_deref()), bytes)?,
            Body::Fields(fields) => {
                let record = PlainRecord { index, time_us, fields }.seal(&self.log, data, person.as_deref())?;
                bytes.extend_from_slice(&record);
            }
            Body::Plain(fields) => bytes.extend_from_slice(&PlainRecord { index, time_us, fields }.in_clear()),
        }
        Ok(leaf_hash(frame::end(bytes, begin)))
    }

    /// The segment to write to: the one that grows, or a new one where that is full, of another day, or was given up.
    fn segment(&mut self, time_us: u64) -> Result<OpenSegment, LogError> {
        let day = day_of(time_us);
        if let Some(open) = self.open.take() {
            // Clocks go back: a segment of a later day goes on.
            if open.length < self.segment_bytes_max && open.day >= day {
                return Ok(open);
            }
            // A segment ends with a checkpoint in the history.
            self.signing.remember();
        }
        let first = self.size;
        let path = segment_path(&self.directory, first, time_us);
        let data = Arc::new(self.keys.new_data_key()?);
        let header = SegmentHeader {
            log: self.log,
            first,
            opened_us: time_us,
            retain_until_us: time_us.saturating_add(self.retention_us.load(Ordering::Relaxed)),
            data_key: data.id(),
        };
        let file = self.begin(&path, &header).map_err(|error| LogError::io("begin", &path, error))?;
        Ok(OpenSegment { file, day, length: SEGMENT_HEADER_LEN as u64, data })
    }

    /// A file of this name can only be one that was given up before anything in it was durable.
    fn begin(&self, path: &Path, header: &SegmentHeader) -> std::io::Result<File> {
        let folder = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        self.disk.write(&mut file, &header.encode())?;
        self.disk.sync(&file)?;
        sync_folder(folder)?;
        sync_folder(&self.directory.join("log"))?;
        // From here on at the end, also after a cut.
        OpenOptions::new().append(true).open(path)
    }
}
