//! Where segments lie: `log/YYYY-MM-DD/NNNNNNNNNNNNNNNN.seg`, the day in UTC, the number that of the first record.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::LogError;

const DAY_US: u64 = 86_400_000_000;
const SUFFIX: &str = ".seg";

/// A segment's file, by its name alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentFile {
    /// The index of its first record.
    pub first: u64,
    /// The day it was begun.
    pub day: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// The day of a time in microseconds since 1970, UTC, as `YYYY-MM-DD`.
#[must_use]
pub fn day_of(time_us: u64) -> String {
    // Days since 1970 to a civil date: era of 400 years, year of era beginning in March (proleptic Gregorian calendar).
    let days = time_us / DAY_US + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Where a segment of this first record, begun at this time, lies.
#[must_use]
pub fn segment_path(log: &Path, first: u64, time_us: u64) -> PathBuf {
    log.join("log").join(day_of(time_us)).join(format!("{first:016}{SUFFIX}"))
}

/// All segments of a log, in the order of their first records. What is named otherwise is none.
///
/// # Errors
/// Where a directory cannot be read.
pub(crate) fn list(log: &Path) -> Result<Vec<SegmentFile>, LogError> {
    let mut segments = Vec::new();
    let root = log.join("log");
    for day in entries(&root)?.into_iter().filter(|day| day.len() == 10) {
        let folder = root.join(&day);
        for name in entries(&folder)? {
            let digits = name.strip_suffix(SUFFIX).filter(|digits| digits.len() >= 16);
            if let Some(first) = digits.and_then(|digits| digits.parse().ok()) {
                segments.push(SegmentFile { first, day: day.clone(), path: folder.join(name) });
            }
        }
    }
    segments.sort();
    Ok(segments)
}

fn entries(folder: &Path) -> Result<Vec<String>, LogError> {
    let read = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        other => other.map_err(|error| LogError::io("list", folder, error))?,
    };
    read.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()
        .map_err(|error| LogError::io("list", folder, error))
}

#[cfg(test)]
mod tests {
    use super::day_of;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_798_761_599, "2026-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day_of(seconds * 1_000_000), day);
        }
    }
}
