//! The old file kept beside the new one. The name says when, and the checksum of what was written instead, so that `--undo` knows whether
//! the file is still as we left it without any record elsewhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cli::file;

/// Seconds that a name may be put forward when backups are made in the same second.
const LATER_SECONDS_MAX: u64 = 60;

/// A file as it was before a change of ours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    pub(crate) path: PathBuf,
    /// What the file held; `None` when there was none.
    pub(crate) before: Option<String>,
    checksum: String,
}

impl Backup {
    /// Whether `text` is what we wrote when this backup was made.
    pub(crate) fn is_from(&self, text: &str) -> bool {
        self.checksum == checksum(text)
    }
}

/// Keeps what `path` holds before `after` is written there.
pub(crate) fn keep(path: &Path, before: Option<&str>, after: &str, now: SystemTime) -> io::Result<PathBuf> {
    for later in 0..LATER_SECONDS_MAX {
        let stamp = stamp(now + Duration::from_secs(later));
        let end = if before.is_some() { "bak" } else { "none" };
        let backup = beside(path, &format!("{stamp}-{}.{end}", checksum(after)));
        // One backup a second, whatever its checksum: the newest must be told by its name.
        if newest(path)?.is_some_and(|newest| stamp_of(path, &newest) >= Some(stamp.clone())) {
            continue;
        }
        return file::create_new(&backup, before.unwrap_or_default()).map(|()| backup);
    }
    Err(io::Error::other("no free name for a backup"))
}

/// The latest backup of a file.
pub(crate) fn latest(path: &Path) -> io::Result<Option<Backup>> {
    let Some(found) = newest(path)? else { return Ok(None) };
    let name = found.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((start, end)) = name.rsplit_once('.') else { return Ok(None) };
    let checksum = start.rsplit('-').next().unwrap_or_default().to_owned();
    let before = if end == "none" { None } else { file::read(&found)? };
    Ok(Some(Backup { path: found, before, checksum }))
}

fn newest(path: &Path) -> io::Result<Option<PathBuf>> {
    let Some(folder) = path.parent() else { return Ok(None) };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut newest: Option<PathBuf> = None;
    for entry in entries {
        let candidate = entry?.path();
        if stamp_of(path, &candidate) > newest.as_deref().and_then(|newest| stamp_of(path, newest)) {
            newest = Some(candidate);
        }
    }
    Ok(newest)
}

/// The time in a backup's name; `None` for any other file.
fn stamp_of(path: &Path, candidate: &Path) -> Option<String> {
    let prefix = format!("{}.omni-", path.file_name()?.to_string_lossy());
    let name = candidate.file_name()?.to_string_lossy().into_owned();
    let (stamp, rest) = name.strip_prefix(&prefix)?.split_once('-')?;
    let (checksum, end) = rest.split_once('.')?;
    let right = stamp.len() == 16 && checksum.len() == 16 && matches!(end, "bak" | "none");
    right.then(|| stamp.to_owned())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    path.with_file_name(format!("{}.omni-{end}", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// FNV-1a: it tells accidental changes, and nobody gains from forging it.
fn checksum(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// `20261122T114025Z`: sorts as it passes.
fn stamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn stamps_are_dates() {
        assert_eq!(stamp(at(0)), "19700101T000000Z");
        assert_eq!(stamp(at(951_782_400)), "20000229T000000Z");
        assert_eq!(stamp(at(1_735_689_599)), "20241231T235959Z");
        assert_eq!(stamp(at(1_795_347_625)), "20261122T114025Z");
    }

    #[test]
    fn the_latest_backup_is_found_also_within_one_second_and_beside_strangers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mcp.json");
        assert_eq!(latest(&path).unwrap(), None);
        fs::write(folder.path().join("mcp.json.omni-99999999T999999Z.bak"), "stranger").unwrap();
        keep(&path, None, "one", at(1)).unwrap();
        assert_eq!(latest(&path).unwrap().unwrap().before, None);
        keep(&path, Some("one"), "two", at(1)).unwrap();
        keep(&path, Some("two"), "three", at(1)).unwrap();
        let latest = latest(&path).unwrap().unwrap();
        assert_eq!(latest.before.as_deref(), Some("two"));
        assert!(latest.is_from("three") && !latest.is_from("two"));
    }
}
