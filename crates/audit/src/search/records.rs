//! Reading records at the places that an index names, and one after the other where it names none.

use std::fs::File;
use std::ops::ControlFlow;

use crate::error::LogError;
use crate::frame::{self, FRAME_HEAD_LEN, Frame};
use crate::index::{BLOCK_RECORDS, Block, ReadAt};
use crate::query::Query;
use crate::record::Record;
use crate::search::indexed::Plan;
use crate::search::searcher::{Order, Search};
use crate::segment::{Segment, SegmentFile, Stored};

/// Longest block: its records, each as long as one can be.
const BLOCK_BYTES_MAX: u64 = BLOCK_RECORDS as u64 * (65_535 + FRAME_HEAD_LEN as u64);

/// The records of a block, as they stand in the file.
#[derive(Debug, Default)]
struct Records {
    block: Option<usize>,
    bytes: Vec<u8>,
    /// Where each begins and ends, without its frame.
    spans: Vec<(usize, usize)>,
}

impl Records {
    /// Reads a block; it has fewer records than it should where the segment is damaged.
    fn load(&mut self, file: &File, plan: &Plan, number: usize) {
        self.block = Some(number);
        self.spans.clear();
        self.bytes.clear();
        let Some(Block { offset, .. }) = plan.blocks.get(number) else { return };
        let end = plan.blocks.get(number + 1).map_or(plan.end, |next| next.offset);
        let length = end.saturating_sub(*offset).min(BLOCK_BYTES_MAX);
        self.bytes.resize(usize::try_from(length).unwrap_or(0), 0);
        if ReadAt::read_exact_at(file, &mut self.bytes, *offset).is_err() {
            return;
        }
        let mut at = 0;
        while let Frame::Whole(content) = frame::first(&self.bytes[at..]) {
            let begin = at + FRAME_HEAD_LEN;
            at = begin + content.len();
            self.spans.push((begin, at));
        }
    }

    fn get(&self, at: usize) -> Option<&[u8]> {
        self.spans.get(at).and_then(|(begin, end)| self.bytes.get(*begin..*end))
    }
}

impl Search {
    /// Reads the records that a plan names. One that is not what the index says is counted as damaged and left out.
    pub(super) fn read(
        &self,
        segment: &SegmentFile,
        plan: &Plan,
        (query, order): (&Query, Order),
        hear: &mut dyn FnMut(&Record<'_>, &[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LogError> {
        if plan.places.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let file = File::open(&segment.path).map_err(|error| LogError::io("open", &segment.path, error))?;
        let mut records = Records::default();
        let count = plan.places.len();
        for turn in 0..count {
            let place = plan.places[if order == Order::Oldest { turn } else { count - 1 - turn }];
            let (number, at) = ((place / BLOCK_RECORDS) as usize, (place % BLOCK_RECORDS) as usize);
            if plan.blocks.get(number).is_none_or(|block| !query.overlaps(block.from_us, block.until_us)) {
                continue;
            }
            if records.block != Some(number) {
                records.load(&file, plan, number);
            }
            let record = records.get(at).and_then(|bytes| Some((Record::parse(bytes).ok()?, bytes)));
            match record.filter(|(record, _)| record.header.index == segment.first + u64::from(place)) {
                Some((record, bytes)) => {
                    if hear(&record, bytes).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                None => self.damage(),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads a segment's records from one on, which stands at `offset` (zero: the first), up to the last that is whole.
    pub(super) fn walk(
        &self,
        segment: &SegmentFile,
        (next, offset): (u64, u64),
        hear: &mut dyn FnMut(&Record<'_>, &Stored<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, LogError> {
        let mut reading = Segment::open(&segment.path)?;
        if offset > 0 {
            reading.seek(next, offset)?;
        }
        loop {
            match reading.next_record() {
                Ok(Some(stored)) => match Record::parse(stored.bytes) {
                    Ok(record) if record.header.index == stored.index => {
                        if hear(&record, &stored).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                    _ => {
                        self.damage();
                        return Ok(ControlFlow::Continue(()));
                    }
                },
                Ok(None) => return Ok(ControlFlow::Continue(())),
                // The rest of the segment cannot be told apart into records; `verify` says where that begins.
                Err(LogError::Damaged { .. }) => {
                    self.damage();
                    return Ok(ControlFlow::Continue(()));
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn damage(&self) {
        self.damaged.set(self.damaged.get() + 1);
    }
}
