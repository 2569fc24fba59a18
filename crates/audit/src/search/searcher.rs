//! A log that is asked: which segments, in which order, and what of each.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::archive::Archive;
use crate::error::LogError;
use crate::held::HeldKeys;
use crate::index::IndexKey;
use crate::query::Query;
use crate::record::{Record, open};
use crate::seen::Seen;
use crate::segment::SegmentFile;

/// A log that is asked.
#[derive(Debug)]
pub struct Search {
    pub(super) archive: Archive,
    pub(super) keys: HeldKeys,
    index_secret: [u8; 32],
    pub(super) damaged: Cell<u64>,
}

/// In which order events are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The latest first.
    #[default]
    Newest,
    /// As they were written.
    Oldest,
}

/// Hears of each event that is found; `Break` wants no more.
pub type Tell<'a> = &'a mut dyn FnMut(Seen) -> ControlFlow<()>;

impl Search {
    /// A log, to be asked with the keys in its own directory.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn new(archive: Archive) -> Result<Self, LogError> {
        let keys = HeldKeys::new(archive.keys()?);
        let index_secret = keys.index_secret();
        Ok(Self { archive, keys, index_secret, damaged: Cell::new(0) })
    }

    /// The log.
    #[must_use]
    pub const fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Records that could not be read so far because their segment is damaged.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged.get()
    }

    /// Tells of every event that is asked for.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn find(&self, query: &Query, order: Order, tell: Tell<'_>) -> Result<(), LogError> {
        self.keys.let_go();
        let mut segments = self.archive.segments()?;
        let last = segments.last().map(|segment| segment.first);
        if order == Order::Newest {
            segments.reverse();
        }
        for segment in &segments {
            let grows = Some(segment.first) == last;
            if self.find_in((segment, grows), query, order, tell)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Makes the indexes that are wanting of segments that take no more records; how many there were.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn index_closed(&self) -> Result<usize, LogError> {
        let segments = self.archive.segments()?;
        let mut made = 0;
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            if !self.is_indexed(segment, next.first) {
                self.plan(segment, false, &Query::default())?;
                made += 1;
            }
        }
        Ok(made)
    }

    /// The event of this index.
    ///
    /// # Errors
    /// Where it is not there, or cannot be read.
    pub fn event(&self, index: u64) -> Result<Seen, LogError> {
        let bytes = self.record(index)?;
        Ok(self.seen(&Record::parse(&bytes)?))
    }

    /// The bytes of the record of this index: what the tree's leaf is the hash of.
    ///
    /// # Errors
    /// Where it is not there, or cannot be read.
    pub fn record(&self, index: u64) -> Result<Vec<u8>, LogError> {
        let segments = self.archive.segments()?;
        let after = segments.partition_point(|segment| segment.first <= index);
        let segment = after.checked_sub(1).and_then(|at| segments.get(at)).ok_or(LogError::NotThere(index))?;
        let everything = Query::default();
        let mut plan = self.plan(segment, after == segments.len(), &everything)?;
        plan.places.retain(|place| segment.first + u64::from(*place) == index);
        let mut found = None;
        let _one = self.read(segment, &plan, (&everything, Order::Oldest), &mut |_record, bytes| {
            found = Some(bytes.to_vec());
            ControlFlow::Break(())
        })?;
        if found.is_none() {
            let _one = self.walk(segment, (plan.next, plan.end), &mut |record, stored| {
                if record.header.index == index {
                    found = Some(stored.bytes.to_vec());
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
        }
        found.ok_or(LogError::NotThere(index))
    }

    /// One segment: what its index covers, and what came since.
    fn find_in(
        &self,
        (segment, grows): (&SegmentFile, bool),
        query: &Query,
        order: Order,
        tell: Tell<'_>,
    ) -> Result<ControlFlow<()>, LogError> {
        let plan = self.plan(segment, grows, query)?;
        let hear = |tell: &mut dyn FnMut(Seen) -> ControlFlow<()>, record: &Record<'_>| {
            self.wanted(record, query).map_or(ControlFlow::Continue(()), tell)
        };
        if order == Order::Oldest {
            let told = self.read(segment, &plan, (query, order), &mut |record, _| hear(tell, record))?;
            if told.is_break() || !plan.rest {
                return Ok(told);
            }
            return self.walk(segment, (plan.next, plan.end), &mut |record, _| hear(tell, record));
        }
        let mut rest = Vec::new();
        if plan.rest {
            let _all = self.walk(segment, (plan.next, plan.end), &mut |record, _| {
                rest.extend(self.wanted(record, query));
                ControlFlow::Continue(())
            })?;
        }
        for event in rest.into_iter().rev() {
            if tell(event).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.read(segment, &plan, (query, order), &mut |record, _| hear(tell, record))
    }

    /// The event of a record, where it is asked for. The time stands in clear, so most are told apart without a key.
    pub(super) fn wanted(&self, record: &Record<'_>, query: &Query) -> Option<Seen> {
        if !query.covers(i64::try_from(record.header.time_us).unwrap_or(i64::MAX)) {
            return None;
        }
        Some(self.seen(record)).filter(|event| query.matches(event))
    }

    pub(super) fn seen(&self, record: &Record<'_>) -> Seen {
        match open(record, self.archive.id(), &self.keys) {
            Ok(opened) => Seen::of(opened),
            Err(error) => Seen::sealed(&record.header, error.to_string()),
        }
    }

    pub(super) fn index_key(&self, first: u64) -> IndexKey {
        // Of this segment alone, so that a word's tag in one tells nothing about another.
        IndexKey::new(&[self.index_secret.as_slice(), &first.to_be_bytes()].concat())
    }

    pub(super) fn index_path(&self, segment: &SegmentFile) -> PathBuf {
        let folder = self.archive.directory().join("index").join(&segment.day);
        folder.join(format!("{:016}.idx", segment.first))
    }
}
