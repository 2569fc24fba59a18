//! Which days of a log are due: by the times of all their records, which are read for it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::archive::Archive;
use crate::error::LogError;
use crate::prune::reading::Reading;
use crate::prune::statement::Inherited;
use crate::record::Record;
use crate::segment::{Segment, SegmentFile, day_of};
use crate::tree::{Frontier, consistency_proof, verify_consistency};

/// While this file stands in the log's directory nothing is deleted.
const HOLD: &str = "hold";

/// What is deleted, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruning {
    /// The days, the oldest first.
    pub days: Vec<String>,
    /// Records of them.
    pub records: u64,
    /// The first record that stays.
    pub first_kept: u64,
    /// Until when the last of them was to be kept (microseconds since 1970, UTC).
    pub retained_until_us: u64,
    /// The next day, and until when it is to be kept at least.
    pub next: Option<(String, u64)>,
    /// Their segments.
    pub(crate) segments: Vec<SegmentFile>,
    /// The tree over the records before the first that stays, by what was read.
    pub(crate) before: Frontier,
    /// Changes of the signing key among the records that go.
    pub(crate) keys: Vec<Inherited>,
    /// No segment stays.
    pub(crate) is_all: bool,
}

/// A segment that is due, as it was read.
struct Due {
    until: u64,
    /// The tree up to its end.
    after: Frontier,
}

/// Which days are due at `now_us`: those from the beginning on whose records were all written longer than `retention` ago, and
/// whose segments say so too. Each record that would go is read; whether they are those that were signed is told when they are
/// deleted.
///
/// # Errors
/// Where a legal hold stands, a segment cannot be read, or one does not follow the other.
pub fn plan(archive: &Archive, retention: Duration, now_us: u64) -> Result<Pruning, LogError> {
    let hold = archive.directory().join(HOLD);
    if hold.exists() {
        return Err(LogError::Held(hold));
    }
    let retention_us = u64::try_from(retention.as_micros()).unwrap_or(u64::MAX);
    let segments = archive.segments()?;
    let Some(first) = segments.first().map(|file| file.first) else { return Ok(Pruning::default()) };
    let today = day_of(now_us);
    let mut reading = Reading::from(archive, first)?;
    let mut plan = Pruning::default();
    let mut due: Vec<Due> = Vec::new();
    for (at, file) in segments.iter().enumerate() {
        // A day that is not over takes records still. Most segments are told by their beginning, and are not read.
        let mut until = begins_until(file, retention_us)?;
        if until <= now_us && file.day < today {
            let (latest, retained) = reading.segment(file, segments.get(at + 1).map(|next| next.first))?;
            until = retained.max(latest.saturating_add(retention_us));
            if until <= now_us {
                due.push(Due { until, after: reading.frontier.clone() });
                continue;
            }
        }
        plan.next = Some((file.day.clone(), until));
        break;
    }
    // Whole days: one of which something stays, stays. A clock that went back may have begun a day twice.
    while !due.is_empty() && segments[due.len()..].iter().any(|stays| stays.day == segments[due.len() - 1].day) {
        due.pop();
    }
    plan.first_kept = due.last().map_or(first, |last| last.after.size());
    plan.records = plan.first_kept.saturating_sub(first);
    plan.retained_until_us = due.iter().map(|one| one.until).max().unwrap_or(0);
    plan.is_all = due.len() == segments.len();
    plan.before = due.last().map_or_else(Frontier::default, |last| last.after.clone());
    plan.segments = segments[..due.len()].to_vec();
    plan.days = plan.segments.iter().map(|file| file.day.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    plan.keys = reading.keys.into_iter().filter(|key| key.index < plan.first_kept).collect();
    Ok(plan)
}

/// Until when a segment is to be kept at least, by its header and its first record.
fn begins_until(file: &SegmentFile, retention_us: u64) -> Result<u64, LogError> {
    let mut segment = Segment::open(&file.path)?;
    let header = *segment.header();
    let written = match segment.next_record()? {
        Some(stored) => Record::parse(stored.bytes)?.header.time_us,
        None => header.opened_us,
    };
    Ok(header.retain_until_us.max(written.saturating_add(retention_us)))
}

impl Pruning {
    /// Whether what was read is what was signed: the tree over it has to lead to this one, which is the writer's own. Tiles only
    /// help to prove it, and prove nothing where they were changed. Whoever holds the disk and no key cannot have another history
    /// deleted than the one that was recorded.
    ///
    /// # Errors
    /// Where it is not.
    pub(crate) fn held_against(&self, archive: &Archive, now: &Frontier) -> Result<(), LogError> {
        let (old, new) = (self.before.size(), now.size());
        let proof = consistency_proof(&archive.tiles(), old, new)?;
        if old == self.first_kept && verify_consistency(old, new, &proof, &self.before.root(), &now.root()) {
            return Ok(());
        }
        let what = format!("the records before {old}, which are to be deleted, are not those that were signed");
        Err(LogError::Disagrees { path: archive.directory().to_owned(), what })
    }
}
