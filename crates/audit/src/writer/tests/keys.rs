//! Keys that are erased, lost, changed.

use std::fs;
use std::sync::Arc;

use omni_types::Principal;

use super::{Durability, LastingLog, Personal, names, open, raw, read, settings, text, write};
use crate::archive::Archive;
use crate::keys::{FileKek, Identity, KeyElsewhere, KeyEncryption};

#[test]
fn comp_3_an_erased_person_is_read_by_nobody_and_everything_else_stays() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for at in 0..6 {
        write(&log, if at % 2 == 0 { "ann" } else { "bob" }, at.to_string()).unwrap();
    }
    let (before, persons) = (raw(directory.path()), directory.path().join("audit/keys/persons"));
    let wrapped = fs::read(&persons).unwrap();
    fs::create_dir_all(directory.path().join("audit/index/2026-11-22")).unwrap();
    assert!(log.erase(&Identity::of(&Principal::local("ann"))).unwrap());
    assert!(!log.erase(&Identity::of(&Principal::local("ann"))).unwrap(), "there is none any more");
    assert!(
        !directory.path().join("audit/index").exists(),
        "an index made before would still know which records were theirs"
    );
    assert!(!log.erase(&Identity::of(&Principal::local("cy"))).unwrap());
    write(&log, "ann", "again").unwrap();
    log.close();
    let records = read(directory.path());
    for record in &records[..6] {
        let (expected, principal) = match record.header.index % 2 {
            0 => (Personal::Erased, None),
            _ => (Personal::Opened, Some("bob".to_owned())),
        };
        assert_eq!((&record.personal, text(record, "principal")), (&expected, principal));
    }
    assert_eq!(text(&records[6], "principal").as_deref(), Some("ann"), "a new key for new records");
    assert_eq!(names(&records), ["0", "1", "2", "3", "4", "5", "again"], "what is of the hub stays");
    assert_eq!(raw(directory.path())[..6], before, "no record is rewritten");
    // Nothing of the wrapped key is left in the file: kind, id, tag, encryption key, then the key itself.
    let (frame_head, entry_head) = (6, 33);
    let ann = &wrapped[frame_head + entry_head..frame_head + entry_head + 60];
    let now = fs::read(&persons).unwrap();
    assert!(wrapped.windows(60).any(|window| window == ann) && !now.windows(60).any(|window| window == ann));
    open(directory.path()).close();
}

#[test]
fn shb_4_a_lost_encryption_key_loses_the_reading_of_what_was_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    write(&log, "ann", "before").unwrap();
    log.close();
    fs::remove_file(directory.path().join("audit/keys/encryption.key")).unwrap();
    let archive = Archive::open(&directory.path().join("audit")).unwrap();
    assert!(archive.keys().unwrap_err().to_string().contains("can be verified, not read"));
    let (log, notices) = LastingLog::open(&settings(directory.path(), Durability::Strict)).unwrap();
    assert!(notices.iter().any(|notice| notice.contains("the encryption key is lost")), "{notices:?}");
    write(&log, "ann", "after").unwrap();
    log.close();
    let keys = archive.keys().unwrap();
    let records = raw(directory.path());
    let lost = archive.open_record(&records[0], &keys).unwrap_err();
    assert!(lost.to_string().contains("is lost"), "{lost}");
    let opened: Vec<_> = records[1..].iter().map(|bytes| archive.open_record(bytes, &keys).unwrap()).collect();
    assert_eq!(names(&opened), ["after"]);
}

#[test]
fn a_lost_person_key_loses_that_person_alone() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    write(&log, "ann", "a").unwrap();
    log.close();
    fs::remove_file(directory.path().join("audit/keys/persons")).unwrap();
    let log = open(directory.path());
    write(&log, "ann", "b").unwrap();
    log.close();
    let records = read(directory.path());
    assert!(
        matches!(&records[0].personal, Personal::Lost(why) if why.contains("is lost")),
        "{:?}",
        records[0].personal
    );
    assert_eq!(
        (names(&records), text(&records[1], "principal").as_deref()),
        (vec!["a".into(), "b".into()], Some("ann"))
    );
}

#[test]
fn another_encryption_key_is_refused_and_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).close();
    let path = directory.path().join("audit/keys/encryption.key");
    crate::keys::FileKek::generate().unwrap().write(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let error = LastingLog::open(&settings(directory.path(), Durability::Fast)).unwrap_err();
    assert!(error.to_string().contains("is wrapped with the encryption key"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn shb_4_keys_are_rotated_without_rewriting_records() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    write(&log, "ann", "0").unwrap();
    let before = raw(directory.path());
    let key = fs::read(directory.path().join("audit/keys/encryption.key")).unwrap();
    log.rotate_encryption_key().unwrap();
    write(&log, "ann", "1").unwrap();
    let new = log.rotate_signing_key().unwrap();
    write(&log, "ann", "2").unwrap();
    log.close();
    assert_ne!(fs::read(directory.path().join("audit/keys/encryption.key")).unwrap(), key);
    assert_eq!(names(&read(directory.path())), ["0", "1", "2"]);
    assert_eq!(raw(directory.path())[..1], before);
    let archive = Archive::open(&directory.path().join("audit")).unwrap();
    let [old, last] = archive.verifiers() else { panic!("{:?}", archive.verifiers()) };
    let (_, note) = archive.checkpoint().unwrap();
    assert!(last.to_string() == new && note.is_signed_by(last) && !note.is_signed_by(old));
    open(directory.path()).close();
    // The old key opens nothing any more.
    fs::write(directory.path().join("audit/keys/encryption.key"), key).unwrap();
    archive.keys().expect_err("the keys are wrapped with the new one");
}

#[test]
fn key_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    write(&log, "ann", "0").unwrap();
    log.rotate_encryption_key().unwrap();
    log.close();
    let folder = directory.path().join("audit/keys");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}

fn elsewhere(current: &Arc<dyn KeyEncryption>, before: Option<&Arc<dyn KeyEncryption>>) -> Option<KeyElsewhere> {
    Some(KeyElsewhere { current: Arc::clone(current), before: before.cloned() })
}

#[test]
fn shb_4_a_key_that_is_kept_elsewhere_is_written_nowhere_and_not_taken_for_lost() {
    let directory = tempfile::tempdir().unwrap();
    let with = |key| crate::LogSettings { key_elsewhere: key, ..settings(directory.path(), Durability::Strict) };
    let open_with = |key| LastingLog::open(&with(key));
    let [first, second]: [Arc<dyn KeyEncryption>; 2] =
        [(); 2].map(|()| Arc::new(FileKek::generate().unwrap()) as Arc<dyn KeyEncryption>);
    let read_with = |key: &Arc<dyn KeyEncryption>| {
        let archive = Archive::open(&directory.path().join("audit")).unwrap().with_key(Some(Arc::clone(key)));
        let keys = archive.keys()?;
        raw(directory.path()).iter().map(|bytes| archive.open_record(bytes, &keys)).collect::<Result<Vec<_>, _>>()
    };
    // It begins with a key beside it, which goes.
    let log = open(directory.path());
    write(&log, "ann", "a").unwrap();
    log.close();
    let file = directory.path().join("audit/keys/encryption.key");
    let beside = fs::read_to_string(&file).unwrap();
    let (log, notices) = open_with(elsewhere(&first, None)).unwrap();
    assert!(notices.iter().any(|notice| notice.contains("is kept elsewhere")), "{notices:?}");
    write(&log, "ann", "b").unwrap();
    let refused = log.rotate_encryption_key().unwrap_err();
    assert!(refused.to_string().contains("audit.keys.encryption_before"), "{refused}");
    log.close();
    assert!(!file.exists());
    assert_eq!(names(&read_with(&first).unwrap()), ["a", "b"]);
    // Without it nothing is moved aside, and nothing is begun.
    let before = fs::read(directory.path().join("audit/keys/data")).unwrap();
    let refused = open_with(None).unwrap_err();
    assert!(refused.to_string().contains("kept elsewhere"), "{refused}");
    let unread = Archive::open(&directory.path().join("audit")).unwrap().keys().unwrap_err();
    assert!(unread.to_string().contains("name it in audit.keys.encryption"), "{unread}");
    let other = open_with(elsewhere(&second, None)).unwrap_err();
    assert!(other.to_string().contains("is wrapped with the encryption key"), "{other}");
    assert_eq!(fs::read(directory.path().join("audit/keys/data")).unwrap(), before);
    // A new one, with the one before it.
    let (log, notices) = open_with(elsewhere(&second, Some(&first))).unwrap();
    assert_eq!(notices, [""; 0]);
    write(&log, "ann", "c").unwrap();
    log.close();
    assert_eq!(names(&read_with(&second).unwrap()), ["a", "b", "c"]);
    assert!(read_with(&first).is_err());
    // No key stands in any file.
    let secret = |text: &str| text.trim().rsplit('+').next().unwrap().to_owned();
    for entry in fs::read_dir(directory.path().join("audit/keys")).unwrap().flatten() {
        let bytes = fs::read(entry.path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("omni-audit-encryption-key") && !text.contains(&secret(&beside)), "{entry:?}");
    }
}
