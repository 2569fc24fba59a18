//! The index of a segment as a query finds it: taken from its file, made, or made to grow.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use crate::error::LogError;
use crate::frame::{self, FRAME_HEAD_LEN, Frame};
use crate::index::{Block, Index, IndexBuilder, IndexError, IndexKey, Placed, ReadAt, candidates, tags_of};
use crate::keys::KeyPlaces;
use crate::query::Query;
use crate::search::searcher::Search;
use crate::segment::{SEGMENT_HEADER_LEN, SegmentFile};
use crate::tree::leaf_hash;

/// Bytes at the end of a segment that still grows which are read with each query, before they are worth an entry in its index.
const REST_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Which file holds the keys of persons.
type Erasures = Option<(u64, u64, Option<SystemTime>)>;

/// Where an index is read from.
#[derive(Debug)]
pub(super) enum Source {
    File(File),
    Made(Vec<u8>),
}

/// A segment, and what its index says of a query.
#[derive(Debug)]
pub(super) struct Plan {
    /// The records to look at, as places in the segment, rising.
    pub(super) places: Vec<u32>,
    /// Where they are.
    pub(super) blocks: Vec<Block>,
    /// The index of the first record that is not covered, and where it stands.
    pub(super) next: u64,
    /// Where the covered records end; zero where there are none.
    pub(super) end: u64,
    /// Whether something follows them.
    pub(super) rest: bool,
}

impl ReadAt for Source {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Self::File(file) => ReadAt::read_exact_at(file, bytes, at),
            Self::Made(made) => made.read_exact_at(bytes, at),
        }
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => file.size(),
            Self::Made(made) => made.size(),
        }
    }
}

impl Search {
    /// What a segment's index says of a query. One that is damaged or forged is made anew.
    pub(super) fn plan(&self, segment: &SegmentFile, grows: bool, query: &Query) -> Result<Plan, LogError> {
        let key = self.index_key(segment.first);
        let size = size(&segment.path)?;
        let erasures = self.erasures();
        let kept = self.kept(segment, &key, size);
        let index = self.current(segment, (grows, size), (kept, erasures), &key)?;
        match planned(index.as_ref(), segment, size, query) {
            Ok(plan) => Ok(plan),
            Err(_) => {
                let made = self.make(segment, IndexBuilder::new(segment.first), &key, erasures)?;
                planned(made.as_ref(), segment, size, query).map_err(|error| LogError::Key(error.to_string()))
            }
        }
    }

    /// Whether a segment that grows no more has an index that covers all of it.
    pub(super) fn is_indexed(&self, segment: &SegmentFile, next: u64) -> bool {
        let Ok(size) = size(&segment.path) else { return false };
        let kept = self.kept(segment, &self.index_key(segment.first), size);
        kept.is_some_and(|index| segment.first + u64::from(index.covered().records) >= next)
    }

    /// The index in its file, where there is one that belongs to this segment as it is now.
    fn kept(&self, segment: &SegmentFile, key: &IndexKey, size: u64) -> Option<Index<Source>> {
        let file = File::open(self.index_path(segment)).ok()?;
        let index = Index::open(Source::File(file), key.clone(), segment.first).ok()?;
        let covered = index.covered();
        if covered.end > size {
            return None;
        }
        // Its last record has to be there: a log that was cut at its end and went on is another one from there on.
        let length = usize::try_from(covered.end.checked_sub(covered.last_offset)?).ok()?;
        let mut bytes = vec![0; length.min(FRAME_HEAD_LEN + usize::from(u16::MAX))];
        ReadAt::read_exact_at(&File::open(&segment.path).ok()?, &mut bytes, covered.last_offset).ok()?;
        match frame::first(&bytes) {
            Frame::Whole(record) if leaf_hash(record) == covered.last_leaf => Some(index),
            _ => None,
        }
    }

    /// An index that covers as much as it should.
    fn current(
        &self,
        segment: &SegmentFile,
        (grows, size): (bool, u64),
        (kept, erasures): (Option<Index<Source>>, Erasures),
        key: &IndexKey,
    ) -> Result<Option<Index<Source>>, LogError> {
        let end = kept.as_ref().map_or(SEGMENT_HEADER_LEN as u64, |index| index.covered().end);
        let rest = size.saturating_sub(end);
        if rest == 0 || (grows && rest < REST_BYTES_MAX) {
            return Ok(kept);
        }
        let builder = kept.and_then(|index| index.into_builder().ok());
        self.make(segment, builder.unwrap_or_else(|| IndexBuilder::new(segment.first)), key, erasures)
    }

    /// What is another thing after a person was erased: the file of persons' keys is a new one then.
    fn erasures(&self) -> Erasures {
        let file = fs::metadata(KeyPlaces::of(self.archive.directory()).persons()).ok()?;
        Some((file.dev(), file.ino(), file.created().ok()))
    }

    /// Reads what is not covered yet, and keeps the index that comes of it where the directory may be written.
    fn make(
        &self,
        segment: &SegmentFile,
        mut builder: IndexBuilder,
        key: &IndexKey,
        erasures: Erasures,
    ) -> Result<Option<Index<Source>>, LogError> {
        // Keys that are held may be those of somebody who was erased since.
        self.keys.let_go();
        let covered = *builder.covered();
        let next = segment.first + u64::from(covered.records);
        let _all = self.walk(segment, (next, covered.end), &mut |record, stored| {
            let event = self.seen(record);
            let end = stored.offset + (FRAME_HEAD_LEN + stored.bytes.len()) as u64;
            let placed = Placed { offset: stored.offset, end, time_us: event.time_us, leaf: leaf_hash(stored.bytes) };
            builder.push(&placed, tags_of(key, &event));
            std::ops::ControlFlow::Continue(())
        })?;
        let grew = builder.covered().records > covered.records;
        let Some(bytes) = builder.finish(key).filter(|_| builder.covered().records > 0) else { return Ok(None) };
        // Whoever is erased while this is made has their indexes taken away after their key: what was read before tells which
        // records were theirs, and must not come back after that.
        if grew && self.erasures() == erasures {
            let path = self.index_path(segment);
            // A reader that may not write asks slower, and is told the same.
            let _unwritten = keep(&path, &bytes);
            if self.erasures() != erasures {
                let _gone = fs::remove_file(&path);
            }
        }
        let index = Index::open(Source::Made(bytes), key.clone(), segment.first);
        index.map(Some).map_err(|error| LogError::Key(error.to_string()))
    }
}

fn planned(index: Option<&Index<Source>>, segment: &SegmentFile, size: u64, query: &Query) -> Result<Plan, IndexError> {
    let Some(index) = index else {
        let rest = size > SEGMENT_HEADER_LEN as u64;
        return Ok(Plan { places: Vec::new(), blocks: Vec::new(), next: segment.first, end: 0, rest });
    };
    let covered = index.covered();
    let next = segment.first + u64::from(covered.records);
    let mut plan = Plan { places: Vec::new(), blocks: Vec::new(), next, end: covered.end, rest: size > covered.end };
    if query.overlaps(covered.from_us, covered.until_us) {
        let places = candidates(index, query)?;
        plan.places = places.unwrap_or_else(|| (0..covered.records).collect());
        if !plan.places.is_empty() {
            plan.blocks = index.blocks()?;
        }
    }
    Ok(plan)
}

fn size(path: &Path) -> Result<u64, LogError> {
    Ok(fs::metadata(path).map_err(|error| LogError::io("look at", path, error))?.len())
}

/// Writes an index beside its place and gives it its name when it is whole. What a crash leaves is no index, and is made anew.
fn keep(path: &PathBuf, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = path.with_extension(format!("{}.tmp", process::id()));
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
    let kept = written.and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&draft, path));
    if kept.is_err() {
        let _gone = fs::remove_file(&draft);
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_types::Principal;

    use crate::index::{IndexBuilder, forget};
    use crate::keys::Identity;
    use crate::search::tests::made::{Event, Made};

    #[test]
    fn comp_3_an_index_that_was_begun_before_somebody_was_erased_is_not_kept() {
        let mut made = Made::new();
        made.begin(1);
        made.write(&[Event { time_us: 2, who: Some("ann"), fields: vec![("kind", "call".to_owned())] }]);
        made.sign();
        let search = made.search();
        let segment = made.archive().segments().unwrap().remove(0);
        let (key, path) = (search.index_key(segment.first), search.index_path(&segment));
        let make = |erasures| search.make(&segment, IndexBuilder::new(segment.first), &key, erasures).unwrap();
        let before = search.erasures();
        make(before);
        assert!(path.exists());
        assert!(made.keys.erase(&Identity::of(&Principal::local("ann"))).unwrap());
        forget(made.path()).unwrap();
        assert_ne!(search.erasures(), before);
        make(before);
        assert!(!path.exists(), "it would still tell which records were ann's");
        make(search.erasures());
        assert!(path.exists());
    }
}
