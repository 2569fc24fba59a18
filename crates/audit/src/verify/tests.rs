//! The tamper suite: each kind of damage at each place is found, and where it is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use omni_types::Principal;
use tempfile::TempDir;

use super::{Finding, Verification, VerifyOptions, verify};
use crate::archive::Archive;
use crate::event::Event;
use crate::frame;
use crate::kind::{EventKind, Outcome};
use crate::note::{Checkpoint, Note, SigningKey};
use crate::segment::{SEGMENT_HEADER_LEN, Segment};
use crate::sink::Sink;
use crate::tree::leaf_hash;
use crate::who::Who;
use crate::writer::{LastingLog, LogSettings};

/// A log of some records, each segment's in a commit of their own.
fn log(records: u64, a_segment: u64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    extend(directory.path(), records, a_segment);
    directory
}

fn extend(directory: &Path, records: u64, a_segment: u64) {
    let settings = LogSettings { segment_bytes_max: 70, group: Duration::ZERO, ..LogSettings::new(directory) };
    let (log, _) = LastingLog::open(&LogSettings { group: Duration::from_secs(3600), ..settings }).unwrap();
    for at in 0..records {
        let event = Event::new(EventKind::Call, "tools/call", Outcome::Success).on(None, format!("tool {at}"));
        log.record(Who::from(&Principal::local("ann")), event);
        if at % a_segment == a_segment - 1 {
            log.checkpoint().unwrap();
        }
    }
    log.close();
}

fn whole(directory: &Path) -> Verification {
    let outcome = verify(directory, &VerifyOptions::default()).unwrap();
    assert_eq!(outcome.findings, []);
    outcome
}

fn findings(directory: &Path) -> Vec<Finding> {
    verify(directory, &VerifyOptions::default()).unwrap().findings
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            drop(fs::copy(entry.path(), target))
        }
    }
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    Archive::open(directory).unwrap().segments().unwrap().into_iter().map(|segment| segment.path).collect()
}

/// Rewrites a segment with other records, checksums and all, as somebody would who has the disk.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut bytes = fs::read(path).unwrap()[..SEGMENT_HEADER_LEN].to_vec();
    let mut records = Vec::new();
    let mut segment = Segment::open(path).unwrap();
    while let Some(stored) = segment.next_record().unwrap() {
        records.push(stored.bytes.to_vec());
    }
    change(&mut records);
    records.iter().for_each(|record| frame::push(&mut bytes, record));
    fs::write(path, bytes).unwrap();
}

fn says(findings: &[Finding], index: u64, text: &str) -> bool {
    findings.iter().any(|finding| finding.index == Some(index) && finding.to_string().contains(text))
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    let log = log(700, 100);
    let outcome = whole(log.path());
    assert_eq!((outcome.records, outcome.size, outcome.signed, outcome.segments), (700, 700, 700, 7));
    assert!(outcome.checkpoints >= 7);
    extend(log.path(), 100, 50);
    assert_eq!(whole(log.path()).size, 800);
}

#[test]
fn every_record_changed_dropped_doubled_or_swapped_is_found_and_where() {
    let original = log(30, 10);
    let changed = tempfile::tempdir().unwrap();
    for index in 0..30_u64 {
        let (place, at) = (usize::try_from(index / 10).unwrap(), usize::try_from(index % 10).unwrap());
        let damage = |kind: usize| {
            let directory = changed.path().join(format!("{index}-{kind}"));
            copy(original.path(), &directory);
            rewrite(&segments(&directory)[place], |records| match kind {
                0 => *records[at].last_mut().unwrap() ^= 1,
                1 => drop(records.remove(at)),
                2 => records.insert(at, records[at].clone()),
                _ => records.swap(at, (at + 1) % 10),
            });
            findings(&directory)
        };
        assert!(says(&damage(0), index, "its hash is not the one that the tiles hold"), "{index}");
        let dropped = damage(1);
        let text = if index == 29 { "30 records were signed, and 29 are there" } else { "are not there" };
        assert!(says(&dropped, index, text), "{dropped:?}");
        assert!(says(&damage(2), index, "it stands here again"), "{index}");
        let swapped = damage(3);
        let places = [index, index / 10 * 10 + (index + 1) % 10];
        assert!(places.iter().any(|place| says(&swapped, *place, "out of order")), "{swapped:?}");
        assert!(swapped.iter().all(|finding| finding.path.is_some()), "{swapped:?}");
    }
}

#[test]
fn every_byte_of_a_segment_counts() {
    let log = log(4, 4);
    let path = &segments(log.path())[0];
    let original = fs::read(path).unwrap();
    for at in 0..original.len() {
        let mut bytes = original.clone();
        bytes[at] ^= 0x10;
        fs::write(path, &bytes).unwrap();
        let found = findings(log.path());
        assert!(found.iter().any(|finding| finding.path.as_deref() == Some(path.as_path())), "byte {at}: {found:?}");
    }
}

#[test]
fn segments_cut_dropped_swapped_and_restored_from_older_copies_are_found() {
    let original = log(30, 10);
    let older = tempfile::tempdir().unwrap();
    copy(original.path(), older.path());
    extend(original.path(), 30, 10);
    let changed = tempfile::tempdir().unwrap();
    let with = |name: &str, damage: &dyn Fn(&Path, &[PathBuf])| {
        let directory = changed.path().join(name);
        copy(original.path(), &directory);
        damage(&directory, &segments(&directory));
        findings(&directory)
    };
    for at in 0..6 {
        let first = 10 * at as u64;
        let dropped = with(&format!("dropped {at}"), &|_, files| fs::remove_file(&files[at]).unwrap());
        let text = if at == 5 { "60 records were signed, and 50 are there" } else { "are not there" };
        assert!(says(&dropped, first, text), "{dropped:?}");
        let cut = with(&format!("cut {at}"), &|_, files| {
            let bytes = fs::read(&files[at]).unwrap();
            fs::write(&files[at], &bytes[..bytes.len() - 3]).unwrap();
        });
        let text = if at == 5 { "60 records were signed, and 59 are there" } else { "records" };
        assert!(says(&cut, first + 9, text), "{cut:?}");
    }
    let swapped = with("swapped", &|_, files| {
        fs::rename(&files[1], files[1].with_extension("x")).unwrap();
        fs::rename(&files[2], &files[1]).unwrap();
        fs::rename(files[1].with_extension("x"), &files[2]).unwrap();
    });
    assert!(swapped.iter().any(|finding| finding.what.contains("renamed or moved")), "{swapped:?}");
    let text = "60 records were signed, and 30 are there";
    let restored = with("older log", &|directory, _| {
        fs::remove_dir_all(directory.join("log")).unwrap();
        copy(&older.path().join("log"), &directory.join("log"));
    });
    assert!(says(&restored, 30, text), "{restored:?}");
    let foreign = with("foreign", &|_, files| drop(fs::copy(&segments(log(30, 10).path())[1], &files[1])));
    assert!(
        foreign.iter().any(|finding| finding.what.contains("another log")) && says(&foreign, 10, "tiles hold"),
        "{foreign:?}"
    );
}

#[test]
fn an_older_copy_of_everything_is_found_by_one_checkpoint_kept_elsewhere() {
    let original = log(30, 10);
    let older = tempfile::tempdir().unwrap();
    copy(original.path(), older.path());
    extend(original.path(), 30, 10);
    let kept = fs::read_to_string(original.path().join("checkpoint")).unwrap();
    whole(older.path());
    let options = VerifyOptions { witnesses: vec![("the witness".into(), kept)], ..VerifyOptions::default() };
    let found = verify(older.path(), &options).unwrap().findings;
    assert!(says(&found, 30, "the witness: byte 0: record 30: 60 records were signed, and 30 are there"), "{found:?}");
    // Both went on from the copy: one key, two histories.
    extend(older.path(), 30, 15);
    let found = verify(older.path(), &options).unwrap().findings;
    let text = "the first 60 records are not those that were signed";
    assert!(found.iter().any(|finding| finding.what.contains(text)), "{found:?}");
    assert!(found.iter().any(|finding| finding.what.contains("two histories of 60 records are signed")), "{found:?}");
}

#[test]
fn who_forges_the_tree_with_the_records_is_found_by_the_signature() {
    let log = log(30, 10);
    rewrite(&segments(log.path())[1], |records| *records[3].last_mut().unwrap() ^= 1);
    let mut bytes = fs::read(log.path().join("tile/0/000.p/30")).unwrap();
    let mut segment = Segment::open(&segments(log.path())[1]).unwrap();
    let [.., forged] = [0; 4].map(|_| leaf_hash(segment.next_record().unwrap().unwrap().bytes));
    bytes[13 * 32..14 * 32].copy_from_slice(&forged);
    fs::write(log.path().join("tile/0/000.p/30"), bytes).unwrap();
    let found = findings(log.path());
    let text = "the first 20 records are not those that were signed: up to 10 they are";
    assert!(found.iter().any(|finding| finding.what.contains(text)), "{found:?}");
    // A root of their own needs the key.
    let forger = SigningKey::generate(Archive::open(log.path()).unwrap().verifiers()[0].name()).unwrap();
    let root = verify(log.path(), &VerifyOptions::default()).unwrap().root;
    let origin = forger.public().name().to_owned();
    let note = Note::sign(Checkpoint { origin, size: 30, root }.text(), &forger).to_string();
    fs::write(log.path().join("checkpoint"), &note).unwrap();
    fs::remove_dir_all(log.path().join("checkpoints")).unwrap();
    let found = findings(log.path());
    assert!(found.iter().any(|finding| finding.what.contains("signed by none of the log's keys")), "{found:?}");
    // And a key of their own is not the one that an auditor has.
    let key = Archive::open(log.path()).unwrap().verifiers()[0].clone();
    fs::write(log.path().join("log.vkey"), format!("{}\n", forger.public())).unwrap();
    whole(log.path());
    let found = verify(log.path(), &VerifyOptions { keys: vec![key], witnesses: Vec::new() }).unwrap().findings;
    assert!(found.iter().any(|finding| finding.what.contains("signed by none of the log's keys")), "{found:?}");
}

#[test]
fn every_tile_and_checkpoint_that_is_changed_is_found() {
    let original = log(600, 200);
    let changed = tempfile::tempdir().unwrap();
    for (at, (path, text)) in [
        ("tile/0/000", "tiles hold"),
        ("tile/0/001", "tiles hold"),
        ("tile/0/002.p/88", "tiles hold"),
        ("tile/1/000.p/2", "not the one over the records below it"),
        ("checkpoint", "signed by none of the log's keys"),
    ]
    .into_iter()
    .enumerate()
    {
        let directory = changed.path().join(at.to_string());
        copy(original.path(), &directory);
        let mut bytes = fs::read(directory.join(path)).unwrap();
        // In a checkpoint: a digit of the size.
        let place = if path == "checkpoint" { bytes.iter().position(|b| *b == b'\n').unwrap() + 1 } else { 40 };
        bytes[place] ^= 1;
        fs::write(directory.join(path), bytes).unwrap();
        let found = findings(&directory);
        assert!(found.iter().any(|finding| finding.to_string().contains(text)), "{path}: {found:?}");
        fs::remove_file(directory.join(path)).unwrap();
        let found = findings(&directory);
        let wanting = path == "tile/1/000.p/2" || !found.is_empty();
        assert!(wanting, "{path} removed");
    }
}

#[test]
fn shb_4_a_new_key_is_believed_by_the_old_ones_word_alone() {
    let directory = log(10, 10);
    let (log, _) = LastingLog::open(&LogSettings::new(directory.path())).unwrap();
    let old = Archive::open(directory.path()).unwrap().verifiers()[0].clone();
    let by_old = fs::read_to_string(directory.path().join("keys/signing.key")).unwrap();
    log.rotate_signing_key().unwrap();
    log.rotate_signing_key().unwrap();
    log.close();
    let options = VerifyOptions { keys: vec![old.clone()], witnesses: Vec::new() };
    assert_eq!(verify(directory.path(), &options).unwrap().findings, []);
    // Who stole the old key cannot sign for what came after.
    let (checkpoint, _) = Archive::open(directory.path()).unwrap().checkpoint().unwrap();
    let thief = SigningKey::from_secret_text(&by_old).unwrap();
    fs::write(directory.path().join("checkpoint"), Note::sign(checkpoint.text(), &thief).to_string()).unwrap();
    let found = findings(directory.path());
    assert!(
        found.iter().any(|finding| finding.what.contains("by a key that was replaced after 11 records")),
        "{found:?}"
    );
}

#[test]
fn a_lost_signing_key_is_told_by_whoever_verifies() {
    let directory = log(10, 10);
    fs::remove_file(directory.path().join("keys/signing.key")).unwrap();
    let (log, notices) = LastingLog::open(&LogSettings::new(directory.path())).unwrap();
    assert!(notices.iter().any(|notice| notice.contains("the signing key is lost")), "{notices:?}");
    log.close();
    let found = findings(directory.path());
    assert!(found.iter().any(|finding| finding.what.contains("signed by none of the log's keys")), "{found:?}");
}

/// Found by the crash suite: a process was killed between making a segment's file and writing its header.
#[test]
fn ret_1_a_segment_that_was_being_begun_is_no_finding_and_one_that_was_cut_is() {
    let directory = log(6, 2);
    let segments = Archive::open(directory.path()).unwrap().segments().unwrap();
    let last = segments.last().unwrap();
    let begun = last.path.with_file_name("0000000000000006.seg");
    for length in [0, 30, SEGMENT_HEADER_LEN] {
        fs::write(&begun, vec![0; length]).unwrap();
        assert!(whole(directory.path()).notes.iter().any(|note| note.contains("being begun")), "{length}");
    }
    fs::remove_file(&begun).unwrap();
    fs::write(&last.path, [0; 30]).unwrap();
    let found = findings(directory.path());
    assert!(found.iter().any(|one| one.path.as_ref() == Some(&last.path)), "{found:?}");
    fs::remove_file(&last.path).unwrap();
    fs::write(segments[1].path.with_file_name("0000000000000003.seg"), []).unwrap();
    assert!(!findings(directory.path()).is_empty());
}
