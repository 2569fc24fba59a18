//! Whoever writes the disk and has no key gets nothing deleted early, and nothing that is gone covered up (RET-1, SHB-4).

use std::fs;
use std::path::{Path, PathBuf};

use super::{DAY, RETENTION, log, now, open, verified};
use crate::archive::Archive;
use crate::error::LogError;
use crate::event::Event;
use crate::frame;
use crate::kind::{EventKind, Outcome};
use crate::note::SigningKey;
use crate::prune::{Inherited, Pruned, delete, plan};
use crate::record::{Record, RecordHeader};
use crate::segment::{SEGMENT_HEADER_LEN, Segment, SegmentHeader};
use crate::sink::Sink;
use crate::tree::{Hash, TileId, Tiles, leaf_hash};
use crate::who::Who;
use crate::writer::{LastingLog, LogSettings};

/// Writes a segment anew, its header and each record's bytes as they are given back.
fn forge(path: &Path, header: impl Fn(&mut SegmentHeader), record: impl Fn(u64, &mut Vec<u8>)) {
    let mut segment = Segment::open(path).unwrap();
    let mut head = *segment.header();
    header(&mut head);
    let mut bytes = head.encode().to_vec();
    while let Some(stored) = segment.next_record().unwrap() {
        let mut content = stored.bytes.to_vec();
        record(stored.index, &mut content);
        frame::push(&mut bytes, &content);
    }
    fs::write(path, bytes).unwrap();
}

/// The time of a record, and where it stands in it.
fn set_time(record: &mut [u8], time_us: u64) {
    record[10..18].copy_from_slice(&time_us.to_be_bytes());
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    Archive::open(directory).unwrap().segments().unwrap().into_iter().map(|file| file.path).collect()
}

fn size(directory: &Path) -> u64 {
    Archive::open(directory).unwrap().checkpoint().unwrap().0.size
}

/// Asks for a deletion, and finds it refused: nothing gone, nothing more on record.
fn refused(log: &LastingLog, directory: &Path, at_us: u64, why: &str) {
    let (before, signed) = (segments(directory), size(directory));
    let error = log.prune_at(at_us).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert_eq!(segments(directory), before);
    log.checkpoint().unwrap();
    assert_eq!(size(directory), signed, "something was signed as deleted");
}

#[test]
fn ret_1_times_that_were_set_back_on_the_disk_get_nothing_signed_as_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    // All of it says that it is of long ago, in headers and records; to the second day that is due.
    for path in segments(directory.path()) {
        forge(
            &path,
            |header| (header.retain_until_us, header.opened_us) = (0, 0),
            |_, record| set_time(record, now() - 20 * DAY),
        );
    }
    refused(&log, directory.path(), now() + DAY, "are not those that were signed");
    // Also with tiles that were made to fit, on every level.
    let leaves: Vec<Hash> = segments(directory.path())
        .iter()
        .flat_map(|path| {
            let mut segment = Segment::open(path).unwrap();
            std::iter::from_fn(move || segment.next_record().unwrap().map(|stored| leaf_hash(stored.bytes)))
                .collect::<Vec<_>>()
        })
        .collect();
    let tile = Tiles::of(directory.path()).read(TileId { level: 0, index: 0 }).unwrap();
    assert_eq!(tile.len(), 256);
    let first = directory.path().join(TileId { level: 0, index: 0 }.path(None));
    fs::write(first, leaves[..256].as_flattened()).unwrap();
    refused(&log, directory.path(), now() + DAY, "are not those that were signed");
    log.close();
}

#[test]
fn ret_1_a_segment_that_is_not_in_its_place_stops_a_deletion() {
    for attack in ["moved", "another log's", "shortened", "dropped", "record moved"] {
        let directory = tempfile::tempdir().unwrap();
        let log = log(directory.path());
        let paths = segments(directory.path());
        let why = match attack {
            "moved" => {
                forge(&paths[1], |header| header.first += 1, |_, _| {});
                "was to come"
            }
            "another log's" => {
                forge(&paths[1], |header| header.log = [1; 16], |_, _| {});
                "was to come"
            }
            "shortened" => {
                let bytes = fs::read(&paths[1]).unwrap();
                fs::write(&paths[1], &bytes[..SEGMENT_HEADER_LEN]).unwrap();
                "are not there"
            }
            "dropped" => {
                fs::remove_file(&paths[1]).unwrap();
                "are not there"
            }
            _ => {
                forge(&paths[1], |_| {}, |_, record| record[2..10].copy_from_slice(&7_u64.to_be_bytes()));
                "another record stands in the place"
            }
        };
        refused(&log, directory.path(), now() + 10 * DAY, why);
        log.close();
    }
}

#[test]
fn ret_1_a_segment_is_kept_as_long_as_its_latest_record() {
    // One commit may reach over midnight, and a clock that goes back leaves the segment of a later day open.
    let directory = tempfile::tempdir().unwrap();
    log(directory.path()).close();
    let archive = Archive::open(directory.path()).unwrap();
    let path = &segments(directory.path())[2];
    let mut last = 0;
    forge(path, |_| {}, |_, _| {});
    let mut segment = Segment::open(path).unwrap();
    while let Some(stored) = segment.next_record().unwrap() {
        last = stored.index;
    }
    forge(
        path,
        |_| {},
        |index, record| {
            if index == last {
                set_time(record, now() + 5 * DAY);
            }
        },
    );
    let found = plan(&archive, RETENTION, now() + 7 * DAY).unwrap();
    assert_eq!((found.records, found.next.is_some()), (0, true), "a day of which something stays, stays");
    let retained = plan(&archive, RETENTION, now() + 9 * DAY).unwrap().retained_until_us;
    assert!(retained > now() + 7 * DAY, "{retained}");
}

/// A log with a change of key in what was deleted, and some more records.
fn pruned(directory: &Path) -> LastingLog {
    let log = log(directory);
    log.prune_at(now() + 10 * DAY).unwrap();
    for at in 0..40 {
        log.record(Who::System, Event::new(EventKind::Call, "tools/call", Outcome::Success).on(None, format!("b{at}")));
        log.checkpoint().unwrap();
    }
    log
}

#[test]
fn ret_1_the_deletion_before_counts_only_as_it_was_signed() {
    for attack in ["no keys", "overflow", "gone", "begins later", "another's"] {
        let directory = tempfile::tempdir().unwrap();
        let log = pruned(directory.path());
        let path = directory.path().join("pruned");
        let stated = Pruned::of(&Record::parse(&fs::read(&path).unwrap()).unwrap()).unwrap();
        assert_eq!(stated.keys.len(), 1);
        let write = |pruned: &Pruned| fs::write(&path, pruned.record().unwrap()).unwrap();
        match attack {
            "no keys" => write(&Pruned { keys: Vec::new(), ..stated }),
            "overflow" => {
                let key = Inherited { index: u64::MAX, ..stated.keys[0].clone() };
                write(&Pruned { index: u64::MAX, keys: vec![key], ..stated });
            }
            "gone" => fs::remove_file(&path).unwrap(),
            // One more segment, taken away by hand: the next deletion must not cover that up.
            "begins later" => fs::remove_file(&segments(directory.path())[0]).unwrap(),
            _ => {
                let other = tempfile::tempdir().unwrap();
                pruned(other.path()).close();
                fs::copy(other.path().join("pruned"), &path).unwrap();
            }
        }
        refused(&log, directory.path(), now() + 30 * DAY, "are gone, and");
        log.close();
    }
}

#[test]
fn ret_1_one_deletion_follows_another_with_all_changes_of_key() {
    let directory = tempfile::tempdir().unwrap();
    let log = pruned(directory.path());
    log.rotate_signing_key().unwrap();
    log.prune_at(now() + 20 * DAY).unwrap();
    log.record(Who::System, Event::new(EventKind::Call, "tools/call", Outcome::Success));
    log.close();
    let outcome = verified(directory.path(), &fs::read_to_string(directory.path().join("checkpoint")).unwrap());
    assert_eq!(outcome.findings, []);
    let stated = Pruned::of(&Record::parse(&fs::read(directory.path().join("pruned")).unwrap()).unwrap()).unwrap();
    assert_eq!(stated.keys.len(), 2);
}

#[test]
fn ret_1_an_interrupted_deletion_leaves_the_later_part_and_is_finished_later() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let plan = plan(&Archive::open(directory.path()).unwrap(), RETENTION, now() + 10 * DAY).unwrap();
    let old = fs::read_to_string(directory.path().join("checkpoint")).unwrap();
    log.prune_at(now() + 10 * DAY).unwrap();
    log.close();
    // In which order they went, and what stands when it ends between two.
    let other = tempfile::tempdir().unwrap();
    let log = self::log(other.path());
    let there = segments(other.path());
    let files: Vec<_> = there.iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let mut order = Vec::new();
    let due = super::plan(&Archive::open(other.path()).unwrap(), RETENTION, now() + 10 * DAY).unwrap();
    delete(other.path(), &due, &mut |path| order.push(path.to_owned())).unwrap();
    assert_eq!(order, there, "the oldest goes first");
    files.iter().for_each(|(path, bytes)| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    });
    log.prune_at(now() + 10 * DAY).unwrap();
    for (path, bytes) in &files[4..] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let done = log.prune_at(now() + 11 * DAY).unwrap();
    assert!(done.records > 0 && done.records < plan.records, "{done:?}");
    log.close();
    let outcome = verified(other.path(), "");
    assert_eq!(outcome.findings, []);
    open(other.path()).close();
    assert!(verified(directory.path(), &old).is_whole());
}

#[test]
fn ret_1_what_does_not_fit_the_record_is_not_deleted() {
    let key = SigningKey::from_seed("omni-mcp-hub/audit/00000000000000000000000000000001", [7; 32]).unwrap();
    let keys = |count: u64| {
        let one = |index| Inherited { index, signature: vec![9; 64], key: key.public().clone() };
        (0..count).map(one).collect::<Vec<_>>()
    };
    let of = |count| Pruned { index: 900, time_us: 9, first_kept: 900, retained_until_us: 8, keys: keys(count) };
    // A change of the signing key each month, for twenty years.
    let bytes = of(240).record().unwrap();
    let record = Record::parse(&bytes).unwrap();
    assert!(matches!(record.header, RecordHeader { is_plain: true, index: 900, .. }));
    assert_eq!(Pruned::of(&record).unwrap(), of(240));
    let error = of(900).record().unwrap_err();
    assert!(matches!(&error, LogError::Key(why) if why.contains("900 changes")), "{error}");
}

#[test]
fn ret_1_nothing_waits_for_what_is_read_before_a_deletion() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let first = segments(directory.path()).remove(0);
    fs::remove_file(&first).unwrap();
    // A pipe that nobody writes to: whoever opens it waits, for as long as this test wants.
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        &first,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    );
    made.unwrap();
    std::thread::scope(|scope| {
        let pruning = scope.spawn(|| log.prune_at(now() + 10 * DAY));
        log.record(Who::System, Event::new(EventKind::Call, "tools/call", Outcome::Success));
        log.checkpoint().unwrap();
        assert!(!pruning.is_finished());
        assert_eq!(size(directory.path()), 302);
        drop(fs::OpenOptions::new().write(true).open(&first).unwrap());
        let error = pruning.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("header"), "{error}");
    });
    fs::remove_file(&first).unwrap();
    log.close();
}

#[test]
fn shb_4_a_checkpoint_of_a_key_that_somebody_put_there_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    log(directory.path()).close();
    let (checkpoint, _) = Archive::open(directory.path()).unwrap().checkpoint().unwrap();
    let other = SigningKey::generate(&checkpoint.origin).unwrap();
    let keys = fs::read_to_string(directory.path().join("log.vkey")).unwrap();
    fs::write(directory.path().join("log.vkey"), format!("{keys}{}\n", other.public())).unwrap();
    let note = crate::note::Note::sign(checkpoint.text(), &other);
    fs::write(directory.path().join("checkpoint"), note.to_string()).unwrap();
    let settings = LogSettings::new(directory.path());
    let (log, notices) = LastingLog::open(&settings).unwrap();
    assert!(notices.iter().any(|notice| notice.contains("which is not in force")), "{notices:?}");
    log.close();
    let (log, notices) = LastingLog::open(&settings).unwrap();
    assert_eq!(notices, [""; 0]);
    log.close();
}
