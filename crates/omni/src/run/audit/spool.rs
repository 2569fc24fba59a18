//! The log itself as a receiver's spool: what it has not acknowledged yet is read from there, so nothing is stored twice.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use omni_audit::{Archive, KeyEncryption, Keys, LogError, Record, Seen, Segment};

/// Records and bytes that are sent at once.
const RECORDS_MAX: usize = 256;
const BYTES_MAX: usize = 512 * 1024;

/// One receiver's place in the log.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    cursor: PathBuf,
    key: Option<Arc<dyn KeyEncryption>>,
    archive: Option<(Archive, Keys)>,
    segment: Option<Segment>,
    next: u64,
}

impl Spool {
    /// The place of the receiver `name` in the log of this directory.
    pub(super) fn of(directory: &Path, name: &str) -> Self {
        let cursor = directory.join("forward").join(name);
        let next = fs::read_to_string(&cursor).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self { directory: directory.to_owned(), cursor, key: None, archive: None, segment: None, next }
    }

    /// The same of a log whose encryption key is kept elsewhere, where there is one.
    pub(super) fn with_key(mut self, key: Option<Arc<dyn KeyEncryption>>) -> Self {
        self.key = key;
        self
    }

    /// What was not acknowledged yet, as far as it is sent at once. Only what is signed: of anything else a crash could still
    /// make something different.
    pub(super) fn batch(&mut self) -> Result<Vec<Seen>, LogError> {
        let (archive, keys, fresh) = match self.archive.take() {
            Some((archive, keys)) => (archive, keys, false),
            None => {
                let archive = Archive::open(&self.directory)?.with_key(self.key.clone());
                let keys = archive.keys()?;
                (archive, keys, true)
            }
        };
        let batch = self.read(&archive, &keys, fresh);
        // Keys that came since are read with the next batch.
        if matches!(&batch, Ok(records) if !records.is_empty()) {
            self.archive = Some((archive, keys));
        }
        batch
    }

    fn read(&mut self, archive: &Archive, keys: &Keys, fresh: bool) -> Result<Vec<Seen>, LogError> {
        let (checkpoint, _) = match archive.checkpoint() {
            Ok(found) => found,
            // Nothing was signed yet.
            Err(LogError::Io { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let (mut records, mut bytes, mut at) = (Vec::new(), 0, self.next);
        while at < checkpoint.size && records.len() < RECORDS_MAX && bytes < BYTES_MAX {
            let mut segment = match self.segment.take().filter(|segment| segment.next_index() == at) {
                Some(segment) => segment,
                None => match reach(archive, at) {
                    // What was deleted after it was kept long enough is sent to nobody any more.
                    Err(LogError::NotThere(_)) if first(archive)? > at => {
                        at = first(archive)?;
                        continue;
                    }
                    other => other?,
                },
            };
            let mut stored = segment.next_record()?.map(|stored| stored.bytes.to_vec());
            if stored.is_none() {
                // The end of a closed segment: the record stands in another one.
                segment = reach(archive, at)?;
                stored = segment.next_record()?.map(|stored| stored.bytes.to_vec());
            }
            let Some(stored) = stored else { break };
            bytes += stored.len();
            let opened = archive.open_record(&stored, keys);
            match opened {
                Ok(opened) => records.push(Seen::of(opened)),
                // Perhaps by a key that came after they were read: what was read until here goes first.
                Err(_) if !fresh => return Ok(records),
                // Its key is lost: that much is told of it, and what comes after it is not held up.
                Err(error) => records.push(Seen::sealed(&Record::parse(&stored)?.header, error.to_string())),
            }
            at += 1;
            self.segment = Some(segment);
        }
        Ok(records)
    }

    /// All up to `next` was taken: told to the disk, so that it is not sent again after a restart.
    pub(super) fn acknowledge(&mut self, next: u64) -> std::io::Result<()> {
        self.next = next;
        let folder = self.cursor.parent().unwrap_or(&self.directory);
        fs::create_dir_all(folder)?;
        let beside = self.cursor.with_extension("tmp");
        let mut file = fs::File::create(&beside)?;
        writeln!(file, "{next}")?;
        file.sync_all()?;
        fs::rename(&beside, &self.cursor)
    }

    /// Looks at everything anew.
    pub(super) fn forget(&mut self) {
        (self.archive, self.segment) = (None, None);
    }
}

/// The first record that there is.
fn first(archive: &Archive) -> Result<u64, LogError> {
    Ok(archive.segments()?.first().map_or(0, |segment| segment.first))
}

/// The segment that holds record `index`, at that record.
fn reach(archive: &Archive, index: u64) -> Result<Segment, LogError> {
    let segments = archive.segments()?;
    let at = segments.partition_point(|segment| segment.first <= index);
    let file = at.checked_sub(1).and_then(|at| segments.get(at)).ok_or(LogError::NotThere(index))?;
    let mut segment = Segment::open(&file.path)?;
    while segment.next_index() < index {
        if segment.next_record()?.is_none() {
            return Err(LogError::NotThere(index));
        }
    }
    Ok(segment)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use omni_audit::{Archive, Event, EventKind, LastingLog, LogSettings, Outcome, Sink as _, Who};

    use super::Spool;

    /// Writes events, each into a segment of its own.
    fn write(directory: &Path, names: &[&str]) {
        let settings = LogSettings { segment_bytes_max: 70, ..LogSettings::new(directory) };
        let (log, _) = LastingLog::open(&settings).unwrap();
        for name in names {
            log.record(Who::System, Event::new(EventKind::Call, "tools/call", Outcome::Success).on(None, *name));
            log.checkpoint().unwrap();
        }
        log.close();
    }

    #[test]
    fn ret_1_a_record_whose_key_was_lost_does_not_hold_up_what_comes_after_it() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &["a", "b"]);
        std::fs::remove_file(directory.path().join("keys/data")).unwrap();
        write(directory.path(), &["c"]);
        let batch = Spool::of(directory.path(), "siem").batch().unwrap();
        assert!(batch.iter().map(|one| one.index).eq(0..batch.len() as u64), "{batch:?}");
        assert!(batch[..2].iter().all(|one| one.closed.internal.is_some() && one.fields.is_empty()), "{batch:?}");
        assert_eq!(batch.last().and_then(|last| last.text("name")), Some("c"), "{batch:?}");
    }

    #[test]
    fn ret_1_what_was_deleted_after_its_time_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &["a", "b", "c"]);
        let mut spool = Spool::of(directory.path(), "siem");
        let segments = Archive::open(directory.path()).unwrap().segments().unwrap();
        std::fs::remove_file(&segments[0].path).unwrap();
        let batch = spool.batch().unwrap();
        assert_eq!(batch.first().map(|first| first.index), Some(segments[1].first), "{batch:?}");
        assert_eq!(batch.last().and_then(|last| last.text("name")), Some("c"), "{batch:?}");
    }
}
