//! Days that are due go, on record; what stays is verified, and a deletion that was not due is found.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attacks;

use std::fs;
use std::path::Path;
use std::time::Duration;

use omni_types::Principal;

use super::plan;
use crate::archive::Archive;
use crate::error::LogError;
use crate::event::Event;
use crate::kind::{EventKind, Outcome};
use crate::segment::day_of;
use crate::sink::Sink;
use crate::verify::{Verification, VerifyOptions, verify};
use crate::who::Who;
use crate::writer::{LastingLog, LogSettings};

const DAY: u64 = 86_400_000_000;
const RETENTION: Duration = Duration::from_secs(3 * 86_400);

fn open(directory: &Path) -> LastingLog {
    let settings = LogSettings { segment_bytes_max: 3_000, retention: RETENTION, ..LogSettings::new(directory) };
    let (log, notices) = LastingLog::open(&settings).unwrap();
    assert_eq!(notices, [""; 0]);
    log
}

/// Some hundred records of today in many segments, with a change of key among them.
fn log(directory: &Path) -> LastingLog {
    let log = open(directory);
    for at in 0..300 {
        let event = Event::new(EventKind::Call, "tools/call", Outcome::Success).on(None, format!("tool {at}"));
        log.record(Who::from(&Principal::local("ann")), event);
        if at % 20 == 0 {
            log.checkpoint().unwrap();
        }
        if at == 150 {
            log.rotate_signing_key().unwrap();
        }
    }
    log.checkpoint().unwrap();
    log
}

fn now() -> u64 {
    u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

fn verified(directory: &Path, witness: &str) -> Verification {
    // By its first key, which a record that was deleted replaces.
    let keys = Archive::open(directory).unwrap().verifiers()[..1].to_vec();
    verify(directory, &VerifyOptions { keys, witnesses: vec![("elsewhere".to_owned(), witness.to_owned())] }).unwrap()
}

#[test]
fn ret_1_days_go_when_they_were_kept_long_enough_and_what_stays_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let old = fs::read_to_string(directory.path().join("checkpoint")).unwrap();
    let today = day_of(now());
    let early = log.prune_at(now() + 2 * DAY).unwrap();
    assert_eq!((early.days.len(), early.records, early.next.unwrap().0), (0, 0, today.clone()));
    let late = now() + 10 * DAY;
    let pruned = log.prune_at(late).unwrap();
    assert_eq!((pruned.days, pruned.records, pruned.first_kept), (vec![today.clone()], 301, 301));
    assert!(!directory.path().join("log").join(&today).exists());
    log.close();
    let outcome = verified(directory.path(), &old);
    assert_eq!(outcome.findings, []);
    assert_eq!((outcome.size, outcome.records, outcome.signed), (302, 1, 302));
    assert!(outcome.notes.iter().any(|note| note.contains("records 0 to 300 were deleted")), "{:?}", outcome.notes);
    // It goes on, also after another deletion, and its inclusion is proven by the tiles.
    let log = open(directory.path());
    log.prune_at(late + 10 * DAY).unwrap();
    log.close();
    open(directory.path()).close();
    let outcome = verified(directory.path(), &old);
    assert_eq!((outcome.findings, outcome.size), (vec![], 303));
    let archive = Archive::open(directory.path()).unwrap();
    crate::RecordProof::of(&archive, 302).unwrap().check(archive.verifiers()).unwrap();
    let export = crate::export_tiles(&archive, &directory.path().join("export")).unwrap_err();
    assert!(matches!(export, LogError::BeginsLater(302)), "{export}");
}

#[test]
fn ret_1_a_deletion_that_was_not_due_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    log.close();
    let segments = Archive::open(directory.path()).unwrap().segments().unwrap();
    assert!(segments.len() > 5);
    let old = fs::read_to_string(directory.path().join("checkpoint")).unwrap();
    segments[..3].iter().for_each(|segment| fs::remove_file(&segment.path).unwrap());
    let said = |outcome: Verification| outcome.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let found = said(verified(directory.path(), &old));
    assert!(found.contains(&format!("records 0 to {} are not there", segments[3].first - 1)), "{found}");
    // With the file of another log's deletion beside it, no record bears it out.
    let other = tempfile::tempdir().unwrap();
    let log = self::log(other.path());
    log.prune_at(now() + 10 * DAY).unwrap();
    log.close();
    fs::copy(other.path().join("pruned"), directory.path().join("pruned")).unwrap();
    let found = said(verified(directory.path(), &old));
    assert!(found.contains("and that record does not"), "{found}");
    // After a deletion that was due, one more segment by hand.
    let log = open(other.path());
    let write = |log: &LastingLog| {
        for _ in 0..40 {
            log.record(Who::System, Event::new(EventKind::Call, "tools/call", Outcome::Success));
            log.checkpoint().unwrap();
        }
    };
    write(&log);
    log.close();
    let segments = Archive::open(other.path()).unwrap().segments().unwrap();
    fs::remove_file(&segments[0].path).unwrap();
    let found = said(verified(other.path(), &old));
    assert!(found.contains("records 301 to") || found.contains("and that record does not"), "{found}");
}

#[test]
fn ret_1_a_segment_that_says_less_than_its_records_is_kept_as_long_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path()).close();
    let archive = Archive::open(directory.path()).unwrap();
    for segment in archive.segments().unwrap() {
        let mut bytes = fs::read(&segment.path).unwrap();
        let header =
            crate::SegmentHeader { retain_until_us: 0, opened_us: 0, ..crate::SegmentHeader::parse(&bytes).unwrap() };
        bytes[..crate::SEGMENT_HEADER_LEN].copy_from_slice(&header.encode());
        fs::write(&segment.path, bytes).unwrap();
    }
    assert_eq!(plan(&archive, RETENTION, now() + 2 * DAY).unwrap().records, 0);
}

#[test]
fn ret_1_a_day_that_was_begun_twice_goes_only_when_all_of_it_is_due() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path()).close();
    let archive = Archive::open(directory.path()).unwrap();
    // As if the clock had gone on to another day and back: its segment, the second one, is to be kept for longer.
    let second = archive.segments().unwrap().remove(1);
    let mut bytes = fs::read(&second.path).unwrap();
    let header = crate::SegmentHeader { retain_until_us: u64::MAX, ..crate::SegmentHeader::parse(&bytes).unwrap() };
    bytes[..crate::SEGMENT_HEADER_LEN].copy_from_slice(&header.encode());
    let place = crate::segment_path(directory.path(), second.first, now() + DAY);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::remove_file(&second.path).unwrap();
    fs::write(place, bytes).unwrap();
    assert_eq!(archive.segments().unwrap()[1].first, second.first);
    assert_eq!(plan(&archive, RETENTION, now() + 10 * DAY).unwrap().days, [""; 0]);
}

#[test]
fn ret_1_a_legal_hold_stops_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    fs::write(directory.path().join("hold"), "case 7").unwrap();
    assert!(matches!(log.prune_at(now() + 10 * DAY), Err(LogError::Held(_))));
    fs::remove_file(directory.path().join("hold")).unwrap();
    assert_eq!(log.prune_at(now() + 10 * DAY).unwrap().records, 301);
}
