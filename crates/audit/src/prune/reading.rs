//! Reading the records that are to go: each in its place, none left out, and the tree over them.

use crate::archive::Archive;
use crate::error::LogError;
use crate::prune::statement::Inherited;
use crate::record::Record;
use crate::segment::{Segment, SegmentFile};
use crate::tree::{Frontier, leaf_hash};
use crate::verify::successor;

/// What was read so far.
pub(super) struct Reading {
    log: [u8; 16],
    /// The tree over it.
    pub(super) frontier: Frontier,
    /// Changes of the signing key.
    pub(super) keys: Vec<Inherited>,
}

impl Reading {
    /// From record `first` on. What stood before it was deleted; its tree is taken from the tiles, so what comes of it has to be
    /// held against the signed one.
    pub(super) fn from(archive: &Archive, first: u64) -> Result<Self, LogError> {
        Ok(Self { log: *archive.id(), frontier: archive.tiles().frontier(first)?, keys: Vec::new() })
    }

    /// Reads a segment, up to the record that the next one begins with. The latest time that one of its records is of, and what
    /// its header says of how long they are to be kept: that is under no tree, and can lengthen the time only.
    pub(super) fn segment(&mut self, file: &SegmentFile, next: Option<u64>) -> Result<(u64, u64), LogError> {
        let mut segment = Segment::open(&file.path)?;
        let header = *segment.header();
        let expected = self.frontier.size();
        if header.log != self.log || header.first != file.first || header.first != expected {
            let what = format!("it begins with record {} of its log, and {expected} was to come", header.first);
            return Err(LogError::damaged(&file.path, 0, what));
        }
        let end = next.unwrap_or(u64::MAX);
        let mut latest = 0;
        while self.frontier.size() < end {
            let Some(stored) = segment.next_record()? else { break };
            let record = Record::parse(stored.bytes)?;
            if record.header.index != stored.index {
                let what = format!("another record stands in the place of record {}", stored.index);
                return Err(LogError::damaged(&file.path, stored.offset, what));
            }
            latest = latest.max(record.header.time_us);
            if let Some((key, signature)) = successor(&record) {
                self.keys.push(Inherited { index: stored.index, signature, key });
            }
            self.frontier.append(leaf_hash(stored.bytes), |_, _, _| {});
        }
        match next {
            Some(next) if self.frontier.size() != next => {
                let what = format!("records {} to {} are not there", self.frontier.size(), next.saturating_sub(1));
                Err(LogError::damaged(&file.path, segment.offset(), what))
            }
            _ => Ok((latest, header.retain_until_us)),
        }
    }
}
