//! Following a log as it grows, over the ends of its segments.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::error::LogError;
use crate::query::Query;
use crate::record::Record;
use crate::search::searcher::Search;
use crate::seen::Seen;
use crate::segment::Segment;

/// Events told at one look; further ones are told at the next.
const LOOK_MAX: usize = 4096;
/// How often it is looked for a segment that came after.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// A place in a log that grows.
#[derive(Debug)]
pub struct Follow {
    segment: Option<Segment>,
    next: u64,
    listed: Option<Instant>,
    /// Whether this segment was read once more after the next one was seen.
    ending: bool,
}

impl Search {
    /// The end of the log as it is now.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn follow(&self) -> Result<Follow, LogError> {
        let Some(last) = self.archive.segments()?.pop() else {
            return Ok(Follow { segment: None, next: 0, listed: None, ending: false });
        };
        let plan = self.plan(&last, true, &Query::default())?;
        let mut segment = Segment::open(&last.path)?;
        if plan.end > 0 {
            segment.seek(plan.next, plan.end)?;
        }
        while whole(&mut segment)?.is_some() {}
        Ok(Follow { next: segment.next_index(), segment: Some(segment), listed: None, ending: false })
    }
}

impl Follow {
    /// The beginning of a log.
    #[must_use]
    pub const fn begin() -> Self {
        Self { segment: None, next: 0, listed: None, ending: false }
    }

    /// The index of the first record that was not looked at.
    #[must_use]
    pub const fn next_index(&self) -> u64 {
        self.next
    }

    /// Adds the events that are asked for and came since.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn look(&mut self, search: &Search, query: &Query, events: &mut Vec<Seen>) -> Result<(), LogError> {
        search.keys.let_go();
        let most = events.len() + LOOK_MAX;
        while events.len() < most {
            if let Some(segment) = &mut self.segment
                && let Some(bytes) = whole(segment)?
            {
                self.next = segment.next_index();
                match Record::parse(&bytes) {
                    Ok(record) => events.extend(search.wanted(&record, query)),
                    Err(_) => search.damage(),
                }
                continue;
            }
            if self.go_on(search)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Goes on with the segment that follows, where there is one and nothing is left in this one.
    fn go_on(&mut self, search: &Search) -> Result<ControlFlow<()>, LogError> {
        if self.listed.is_some_and(|listed| listed.elapsed() < LIST_EVERY) {
            return Ok(ControlFlow::Break(()));
        }
        self.listed = Some(Instant::now());
        let current = self.segment.as_ref().map(|segment| segment.header().first);
        let after = |first: u64| current.is_none_or(|current| first > current);
        let Some(file) = search.archive.segments()?.into_iter().find(|file| after(file.first)) else {
            return Ok(ControlFlow::Break(()));
        };
        // A segment is begun once the one before it is whole. What was written there since it was last looked at is read first;
        // what cannot be read then never will be.
        if file.first > self.next && !std::mem::replace(&mut self.ending, true) {
            self.listed = None;
            return Ok(ControlFlow::Continue(()));
        }
        self.ending = false;
        self.next = file.first;
        self.segment = Some(Segment::open(&file.path)?);
        self.listed = None;
        Ok(ControlFlow::Continue(()))
    }
}

/// The next record that is whole. One whose checksum does not fit may be one that is being written.
fn whole(segment: &mut Segment) -> Result<Option<Vec<u8>>, LogError> {
    match segment.next_record() {
        Ok(stored) => Ok(stored.map(|stored| stored.bytes.to_vec())),
        Err(LogError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
