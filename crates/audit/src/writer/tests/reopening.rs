//! What was written is there after the next start, whole and in order.

use std::fs;

use super::{Durability, LastingLog, Personal, event, names, open, raw, read, settings, text, who, write};
use crate::archive::Archive;
use crate::error::LogError;
use crate::sink::Sink;
use crate::tree::{Tiles, inclusion_proof, leaf_hash, root_at, verify_inclusion};

#[test]
fn tool_6_what_is_recorded_is_read_back_with_who_and_what() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    write(&log, "ann", "commit").unwrap();
    log.close();
    let records = read(directory.path());
    assert_eq!(names(&records), ["commit"]);
    assert_eq!(text(&records[0], "principal").as_deref(), Some("ann"));
    assert_eq!((records[0].header.index, &records[0].personal), (0, &Personal::Opened));
    let stored = raw(directory.path()).concat();
    assert!(!String::from_utf8_lossy(&stored).contains("ann") && !String::from_utf8_lossy(&stored).contains("commit"));
}

#[test]
fn ret_1_a_log_goes_on_where_it_was_over_segments_and_starts() {
    let directory = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for start in 0..4 {
        let mut settings = settings(directory.path(), Durability::Fast);
        settings.segment_bytes_max = 20_000;
        let (log, notices) = LastingLog::open(&settings).unwrap();
        assert_eq!(notices, [""; 0]);
        for at in 0..300 {
            log.record(who("ann"), event(format!("{start}-{at}")));
            expected.push(format!("{start}-{at}"));
            if at % 50 == 0 {
                log.checkpoint().unwrap();
            }
        }
        log.close();
    }
    assert_eq!(names(&read(directory.path())), expected);
    let archive = Archive::open(&directory.path().join("audit")).unwrap();
    assert!(archive.segments().unwrap().len() > 4);
    let (checkpoint, note) = archive.checkpoint().unwrap();
    assert!(note.is_signed_by(&archive.verifiers()[0]));
    assert_eq!(checkpoint.size, 1200);
    let tiles = archive.tiles();
    assert_eq!(root_at(&tiles, 1200).unwrap(), checkpoint.root);
    for (index, record) in raw(directory.path()).iter().enumerate().step_by(97) {
        let proof = inclusion_proof(&tiles, index as u64, 1200).unwrap();
        assert!(verify_inclusion(&leaf_hash(record), index as u64, 1200, &proof, &checkpoint.root));
    }
    let kept = archive.checkpoints().unwrap();
    assert!(kept.len() >= 8 && kept.iter().all(|(_, note)| note.is_signed_by(&archive.verifiers()[0])));
}

#[test]
fn a_torn_end_is_moved_aside_and_told_and_nothing_else_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    (0..10).for_each(|at| write(&log, "ann", at.to_string()).unwrap());
    log.close();
    let path = Archive::open(&directory.path().join("audit")).unwrap().segments().unwrap()[0].path.clone();
    let whole = fs::read(&path).unwrap();
    for torn in [&b"\0"[..], &[0; 4096], &[1, 0, 9, 9, 9, 9, 7], &whole[64..90]] {
        fs::write(&path, [&whole, torn].concat()).unwrap();
        let (log, notices) = LastingLog::open(&settings(directory.path(), Durability::Strict)).unwrap();
        assert!(notices.iter().any(|notice| notice.contains("after record 9")), "{notices:?}");
        log.close();
        let records = read(directory.path());
        assert_eq!((records.len(), names(&records).len()), (10 + notices.len(), 10));
        assert_eq!(text(&records[10], "action").as_deref(), Some("log/recover"));
        let aside = fs::read_dir(path.parent().unwrap()).unwrap().flatten().map(|entry| entry.path());
        let aside: Vec<_> = aside.filter(|path| path.to_string_lossy().contains(".torn-")).collect();
        assert!(aside.iter().any(|path| fs::read(path).unwrap() == torn));
        // For the next kind of damage: as it was, checkpoint and all.
        fs::remove_file(directory.path().join("audit/checkpoint")).unwrap();
        fs::remove_dir_all(directory.path().join("audit/tile")).unwrap();
    }
}

#[test]
fn tiles_that_did_not_reach_the_disk_are_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path(), Durability::Fast);
    settings.segment_bytes_max = 10_000;
    for round in 0..3 {
        let (log, notices) = LastingLog::open(&settings).unwrap();
        assert_eq!(notices, [""; 0], "round {round}");
        for at in 0..700 {
            log.record(who("ann"), event(at.to_string()));
            if at % 60 == 0 {
                log.checkpoint().unwrap();
            }
        }
        log.close();
        match round {
            0 => fs::remove_dir_all(settings.directory.join("tile")).unwrap(),
            _ => fs::write(settings.directory.join("tile/0/000"), [0; 8192]).unwrap(),
        }
    }
    let (log, _) = LastingLog::open(&settings).unwrap();
    log.close();
    let (checkpoint, _) = Archive::open(&settings.directory).unwrap().checkpoint().unwrap();
    let tiles = Tiles::of(&settings.directory);
    assert_eq!((checkpoint.size, root_at(&tiles, 2100).unwrap()), (2100, checkpoint.root));
}

#[test]
fn a_log_that_is_shorter_than_signed_or_another_one_is_not_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    (0..10).for_each(|at| write(&log, "ann", at.to_string()).unwrap());
    log.close();
    let root = directory.path().join("audit");
    let path = Archive::open(&root).unwrap().segments().unwrap()[0].path.clone();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let error = LastingLog::open(&settings(directory.path(), Durability::Strict)).unwrap_err();
    assert!(error.to_string().contains("10 records were signed and 9 are there"), "{error}");
    assert_eq!(fs::read(&path).unwrap().len(), whole.len() - 1, "nothing is changed");
    fs::write(&path, &whole).unwrap();
    open(directory.path()).close();
    fs::remove_file(root.join("log.vkey")).unwrap();
    fs::remove_file(root.join("keys/signing.key")).unwrap();
    let error = LastingLog::open(&settings(directory.path(), Durability::Strict)).unwrap_err();
    assert!(matches!(error, LogError::Disagrees { .. }), "{error}");
}

#[test]
fn two_hubs_never_write_one_log() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let error = LastingLog::open(&settings(directory.path(), Durability::Fast)).unwrap_err();
    assert!(matches!(error, LogError::Locked(_)), "{error}");
    drop(log);
    open(directory.path()).close();
}

#[test]
fn a_reader_follows_a_log_that_grows() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    write(&log, "ann", "first").unwrap();
    let archive = Archive::open(&directory.path().join("audit")).unwrap();
    let keys = archive.keys().unwrap();
    let mut segment = crate::segment::Segment::open(&archive.segments().unwrap()[0].path).unwrap();
    for (at, (person, name)) in [("ann", "first"), ("bob", "second"), ("cy", "third")].into_iter().enumerate() {
        if at > 0 {
            assert!(segment.next_record().unwrap().is_none());
            write(&log, person, name).unwrap();
        }
        let stored = segment.next_record().unwrap().unwrap();
        let opened = archive.open_record(stored.bytes, &keys).unwrap();
        assert_eq!(text(&opened, "principal").as_deref(), Some(person));
    }
    assert_eq!(log.health().records, 3);
    drop(log);
}
