//! Which days of a log are due, and taking them away.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::archive::{Archive, checkpoint_files};
use crate::error::LogError;
use crate::keys::sync_folder;
use crate::record::Record;
use crate::segment::{Segment, SegmentFile, day_of};

const DAY_US: u64 = 86_400_000_000;
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
    /// The next day, and until when it is to be kept.
    pub next: Option<(String, u64)>,
    /// Their segments.
    pub(crate) segments: Vec<SegmentFile>,
}

/// Which days are due at `now_us`: those from the beginning on whose records were all written longer than `retention` ago, and
/// whose segments say so too. `records` are the log's.
///
/// # Errors
/// Where a legal hold stands, or a segment cannot be read.
pub fn plan(archive: &Archive, retention: Duration, now_us: u64, records: u64) -> Result<Pruning, LogError> {
    let hold = archive.directory().join(HOLD);
    if hold.exists() {
        return Err(LogError::Held(hold));
    }
    let segments = archive.segments()?;
    let today = day_of(now_us);
    let mut plan = Pruning::default();
    let mut due = 0;
    for file in &segments {
        let until = until(file, retention)?;
        // A day that is not over takes records still.
        if until > now_us || file.day >= today {
            plan.next = Some((file.day.clone(), until));
            break;
        }
        plan.retained_until_us = plan.retained_until_us.max(until);
        due += 1;
    }
    // Whole days: one of which something stays, stays. A clock that went back may have begun a day twice.
    while due > 0 && segments[due..].iter().any(|stays| stays.day == segments[due - 1].day) {
        due -= 1;
    }
    let first = segments.first().map_or(0, |file| file.first);
    plan.first_kept = segments.get(due).map_or(records, |file| file.first);
    plan.records = plan.first_kept - first;
    plan.segments = segments[..due].to_vec();
    plan.days = plan.segments.iter().map(|file| file.day.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    Ok(plan)
}

/// Until when the last record of a segment is to be kept. The header is under no tree, so the time of a record counts, too:
/// whoever writes the disk cannot have a segment deleted early.
fn until(file: &SegmentFile, retention: Duration) -> Result<u64, LogError> {
    let mut segment = Segment::open(&file.path)?;
    let header = *segment.header();
    let written = match segment.next_record()? {
        Some(stored) => Record::parse(stored.bytes)?.header.time_us,
        None => header.opened_us,
    };
    let retention = u64::try_from(retention.as_micros()).unwrap_or(u64::MAX);
    // A segment takes records of one day.
    Ok(header.retain_until_us.max(written.saturating_add(retention)).saturating_add(DAY_US))
}

/// Takes the days away: segments, what lay aside, indexes, checkpoints of the time before. What is gone already is no error:
/// a deletion that was interrupted is done again.
pub(crate) fn delete(directory: &Path, plan: &Pruning) -> Result<(), LogError> {
    for day in &plan.days {
        for folder in ["index", "log"].map(|root| directory.join(root).join(day)) {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(LogError::io("delete", &folder, error));
                }
                _ => {}
            }
        }
    }
    for path in checkpoint_files(directory)? {
        let day = path.file_stem().unwrap_or_default().to_string_lossy();
        if plan.days.last().is_some_and(|last| *day <= **last) {
            fs::remove_file(&path).map_err(|error| LogError::io("delete", &path, error))?;
        }
    }
    sync_folder(&directory.join("log")).map_err(|error| LogError::io("make durable", directory, error))
}
