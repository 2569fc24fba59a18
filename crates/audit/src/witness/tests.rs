//! A witness takes what goes on from what it saw, and finds forks and histories that were cut.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{KEYS_OF_A_LOG_MAX, Witness, Witnessed, witness_request};
use crate::archive::Archive;
use crate::event::Event;
use crate::kind::{EventKind, Outcome};
use crate::note::{Checkpoint, Note, Signature, SigningKey};
use crate::sink::Sink;
use crate::verify::{VerifyOptions, verify};
use crate::who::Who;
use crate::writer::{LastingLog, LogSettings};

fn write(directory: &Path, events: usize) {
    let (log, _) = LastingLog::open(&LogSettings::new(directory)).unwrap();
    for _ in 0..events {
        log.record(Who::System, Event::new(EventKind::Call, "tools/call", Outcome::Success));
    }
    log.close();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to) } else { assert!(fs::copy(&from, &to).is_ok()) }
    }
}

/// What the witness answers to the log's latest checkpoint, said to come after `old` records.
fn ask(witness: &Witness, directory: &Path, old: u64) -> Witnessed {
    let archive = Archive::open(directory).unwrap();
    let note = fs::read_to_string(directory.join("checkpoint")).unwrap();
    witness.add_checkpoint(&witness_request(&archive, old, &note).unwrap().1).unwrap()
}

#[test]
fn shb_4_a_witness_cosigns_what_goes_on_and_refuses_forks_and_what_was_cut() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = home.path().join("log");
    write(&log, 10);
    let keys = Archive::open(&log).unwrap().verifiers().to_vec();
    let witness = Witness::open(folder.path(), keys).unwrap();
    let Witnessed::Cosigned(line) = ask(&witness, &log, 0) else { panic!("it refuses the first one") };
    // The signature, as C2SP tlog-cosignature has it.
    let (public, note) = (witness.public(), fs::read_to_string(log.join("checkpoint")).unwrap());
    let (name, rest) = public.split_once('+').unwrap();
    let key = STANDARD.decode(rest.split_once('+').unwrap().1).unwrap();
    let bytes = STANDARD.decode(line.trim_end().strip_prefix(&format!("\u{2014} {name} ")).unwrap()).unwrap();
    let seconds = u64::from_be_bytes(bytes[4..12].try_into().unwrap());
    let signed = format!("cosignature/v1\ntime {seconds}\n{}\n", note.split_once("\n\n").unwrap().0);
    assert_eq!(
        (key[0], format!("{:02x}{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2], bytes[3])),
        (4, rest[..8].to_owned())
    );
    UnparsedPublicKey::new(&ED25519, &key[1..]).verify(signed.as_bytes(), &bytes[12..]).unwrap();
    // The same again is well; another size than it saw is told.
    assert!(matches!(ask(&witness, &log, 10), Witnessed::Cosigned(_)));
    let (cut, fork) = (home.path().join("cut"), home.path().join("fork"));
    copy(&log, &cut);
    copy(&log, &fork);
    write(&log, 7);
    assert_eq!(ask(&witness, &log, 0), Witnessed::Conflict(10));
    assert!(matches!(ask(&witness, &log, 10), Witnessed::Cosigned(_)));
    // The same key, an older history, and another one as long and longer.
    assert_eq!(ask(&witness, &cut, 10), Witnessed::Conflict(17));
    write(&fork, 7);
    assert_eq!(ask(&witness, &fork, 17), Witnessed::Conflict(17));
    write(&fork, 3);
    assert_eq!(ask(&witness, &fork, 17), Witnessed::Inconsistent);
    // What it keeps is what `verify` takes, also after a start.
    let witness = Witness::open(folder.path(), Archive::open(&log).unwrap().verifiers().to_vec()).unwrap();
    assert_eq!(witness.public(), public);
    assert_eq!(ask(&witness, &log, 3), Witnessed::Conflict(17));
    let kept = |kind: &str| {
        let files = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path());
        let path = files.into_iter().find(|path| path.extension().is_some_and(|end| end == kind)).unwrap();
        ("the witness".to_owned(), fs::read_to_string(path).unwrap())
    };
    let witnesses = vec![kept("notes"), kept("latest")];
    let found = |directory: &Path| {
        let options = VerifyOptions { witnesses: witnesses.clone(), ..VerifyOptions::default() };
        verify(directory, &options).unwrap().findings
    };
    assert_eq!(found(&log), []);
    assert!(!found(&fork).is_empty() && !found(&cut).is_empty());
}

#[test]
fn shb_4_a_witness_takes_nothing_from_strangers() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, other) = (home.path().join("log"), home.path().join("other"));
    write(&log, 3);
    write(&other, 3);
    let witness = Witness::open(folder.path(), Archive::open(&log).unwrap().verifiers().to_vec()).unwrap();
    assert_eq!(ask(&witness, &other, 0), Witnessed::Unknown);
    let note = fs::read_to_string(log.join("checkpoint")).unwrap();
    let forged = format!("old 0\n\n{}", note.replace("\n3\n", "\n4\n"));
    assert_eq!(witness.add_checkpoint(&forged).unwrap(), Witnessed::Unsigned);
    for bad in ["", "old 0\n", "old 00\n\n", "old x\n\n", "old 0\nAAAA\n\n", "old -1\n\n"] {
        let body = format!("{bad}{note}");
        assert!(matches!(witness.add_checkpoint(&body).unwrap(), Witnessed::Malformed(_)), "{bad:?}");
    }
    assert!(matches!(witness.add_checkpoint(&format!("old 9\n\n{note}")).unwrap(), Witnessed::Malformed(_)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "its key's two files, its lock, and nothing else");
}

fn signed(checkpoint: &Checkpoint, keys: &[&SigningKey]) -> Note {
    let mut note = Note::sign(checkpoint.text(), keys[0]);
    note.signatures.extend(keys[1..].iter().flat_map(|key| Note::sign(checkpoint.text(), key).signatures));
    note
}

#[test]
fn shb_4_a_request_has_a_witness_check_no_more_signatures_than_the_log_has_keys() {
    let folder = tempfile::tempdir().unwrap();
    let name = "omni-mcp-hub/audit/00000000000000000000000000000001";
    let key = |seed: usize| SigningKey::from_seed(name, [u8::try_from(seed).unwrap(); 32]).unwrap();
    let keys: Vec<_> = (1..=KEYS_OF_A_LOG_MAX + 1).map(key).collect();
    let public = |keys: &[SigningKey]| keys.iter().map(|key| key.public().clone()).collect::<Vec<_>>();
    let error = Witness::open(folder.path(), public(&keys)).unwrap_err();
    assert!(error.to_string().contains("more than 16 keys"), "{error}");
    let witness = Witness::open(folder.path(), public(&keys[..2])).unwrap();
    let checkpoint = Checkpoint { origin: name.to_owned(), size: 1, root: [1; 32] };
    // Of one key's signatures the first counts, so that sixty-four forged ones cost what one costs.
    let mut note = signed(&checkpoint, &[&keys[0]]);
    let good = note.signatures[0].clone();
    let forged = Signature { bytes: vec![0; 64], ..good.clone() };
    note.signatures = std::iter::repeat_n(forged, 63).chain([good]).collect();
    assert_eq!(witness.add_checkpoint(&format!("old 0\n\n{note}")).unwrap(), Witnessed::Unsigned);
    // Strangers' signatures beside it are neither checked nor kept; the second key's is.
    let stranger = SigningKey::from_seed(name, [99; 32]).unwrap();
    let note = signed(&checkpoint, &[&stranger, &keys[1], &keys[0]]);
    assert!(matches!(witness.add_checkpoint(&format!("old 0\n\n{note}")).unwrap(), Witnessed::Cosigned(_)));
    let kept = Note::parse(&fs::read_to_string(witness.path(name, "latest")).unwrap()).unwrap();
    let of = |key: &SigningKey| kept.signatures.iter().filter(|one| one.id == key.public().id()).count();
    assert_eq!((of(&stranger), of(&keys[0]), of(&keys[1])), (0, 1, 1));
}

#[test]
fn shb_4_a_witness_that_lost_its_latest_goes_by_what_it_kept_and_writes_nothing_twice() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = home.path().join("log");
    write(&log, 5);
    let keys = Archive::open(&log).unwrap().verifiers().to_vec();
    let origin = keys[0].name().to_owned();
    let witness = Witness::open(folder.path(), keys.clone()).unwrap();
    assert!(matches!(ask(&witness, &log, 0), Witnessed::Cosigned(_)));
    let (latest, notes) = (witness.path(&origin, "latest"), witness.path(&origin, "notes"));
    let before = fs::read(&latest).unwrap();
    fs::write(&latest, [before.as_slice(), b"\n"].concat()).unwrap();
    for _ in 0..3 {
        assert!(matches!(ask(&witness, &log, 5), Witnessed::Cosigned(_)));
    }
    assert_eq!(fs::read(&latest).unwrap().len(), before.len() + 1, "it was written anew");
    fs::remove_file(&latest).unwrap();
    // Half a note at the end, as a torn write leaves it.
    let whole = fs::read_to_string(&notes).unwrap();
    fs::write(&notes, format!("{whole}\n{}", &whole[..whole.len() / 2])).unwrap();
    assert_eq!(ask(&witness, &log, 0), Witnessed::Conflict(5));
    write(&log, 2);
    assert!(matches!(ask(&witness, &log, 5), Witnessed::Cosigned(_)));
    assert!(latest.exists());
}

#[test]
fn shb_4_two_processes_with_one_folder_take_turns() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = home.path().join("log");
    write(&log, 5);
    let keys = Archive::open(&log).unwrap().verifiers().to_vec();
    // Each has a file of its own, as two processes have.
    let witnesses: Vec<Witness> = (0..4).map(|_| Witness::open(folder.path(), keys.clone()).unwrap()).collect();
    let (fork, longer) = (home.path().join("fork"), home.path().join("longer"));
    copy(&log, &fork);
    copy(&log, &longer);
    write(&fork, 3);
    write(&longer, 3);
    let answers: Vec<Witnessed> = std::thread::scope(|scope| {
        let one = |(at, witness)| {
            let log = if at % 2 == 0 { &fork } else { &longer };
            scope.spawn(move || ask(witness, log, 0))
        };
        witnesses.iter().enumerate().map(one).collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect()
    });
    // Both are as long; whichever came first, the other one is refused, whoever was asked.
    let cosigned = answers.iter().filter(|answer| matches!(answer, Witnessed::Cosigned(_))).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Witnessed::Conflict(8 | 9))).count();
    assert_eq!((cosigned, refused), (1, 3), "{answers:?}");
}
