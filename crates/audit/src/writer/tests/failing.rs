//! Disks that fail: nothing durable is lost, nothing is invented, whoever waits is told.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::{Durability, LastingLog, event, names, read, settings, text, who, write};
use crate::record::Value;
use crate::sink::{NotRecorded, Sink};
use crate::writer::Disk;

/// A disk that fails when it is told to.
#[derive(Debug, Default)]
struct Failing {
    full: AtomicBool,
    syncs_to_fail: AtomicU32,
    stuck: AtomicBool,
    syncs: AtomicU32,
}

impl Disk for Failing {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            // As a full disk does: some of it stands there.
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        let fails = |left: u32| left.checked_sub(1);
        if self.syncs_to_fail.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(io::Error::other("the device does not answer"));
        }
        file.sync_data()
    }

    fn shorten(&self, file: &File, length: u64) -> io::Result<()> {
        if self.stuck.load(Ordering::SeqCst) { Err(io::Error::other("stuck")) } else { file.set_len(length) }
    }
}

fn open(directory: &std::path::Path, durability: Durability) -> (LastingLog, Arc<Failing>) {
    let disk = Arc::new(Failing::default());
    let mut settings = settings(directory, durability);
    settings.queue_records_max = 50;
    (LastingLog::open_on(&settings, disk.clone()).unwrap().0, disk)
}

/// Waits until `done`, as long as it takes on a loaded machine.
fn until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn strict_refuses_while_the_disk_is_full_and_goes_on_when_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (log, disk) = open(directory.path(), Durability::Strict);
    write(&log, "ann", "before").unwrap();
    disk.full.store(true, Ordering::SeqCst);
    for at in 0..3 {
        let refused = write(&log, "ann", format!("full {at}"));
        assert!(matches!(&refused, Err(NotRecorded::Failed(why)) if why.contains("cannot write")), "{refused:?}");
    }
    assert!(log.health().failing.is_some());
    disk.full.store(false, Ordering::SeqCst);
    until(|| log.health().failing.is_none());
    write(&log, "ann", "after").unwrap();
    log.close();
    assert_eq!(names(&read(directory.path())), ["before", "full 0", "full 1", "full 2", "after"]);
}

#[test]
fn after_a_failed_sync_nothing_since_the_last_good_one_is_believed() {
    for stuck in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let (log, disk) = open(directory.path(), Durability::Strict);
        write(&log, "ann", "before").unwrap();
        disk.stuck.store(stuck, Ordering::SeqCst);
        disk.syncs_to_fail.store(1, Ordering::SeqCst);
        write(&log, "ann", "doubtful").expect_err("its sync failed");
        until(|| log.health().failing.is_none());
        write(&log, "ann", "after").unwrap();
        log.close();
        // The record of doubt stands once, in a new segment; what the old one may hold of it is not counted.
        assert_eq!(names(&read(directory.path())), ["before", "doubtful", "after"], "stuck: {stuck}");
        let archive = crate::Archive::open(&directory.path().join("audit")).unwrap();
        assert_eq!(archive.segments().unwrap().iter().map(|s| s.first).collect::<Vec<_>>(), [0, 1]);
        LastingLog::open(&settings(directory.path(), Durability::Strict)).unwrap().0.close();
        assert_eq!(names(&read(directory.path())), ["before", "doubtful", "after"]);
    }
}

#[test]
fn async_2_fast_sheds_what_does_not_fit_and_says_how_many_between_when() {
    let directory = tempfile::tempdir().unwrap();
    let (log, disk) = open(directory.path(), Durability::Fast);
    log.record(who("ann"), event("first"));
    until(|| log.health().records == 1);
    disk.full.store(true, Ordering::SeqCst);
    log.record(who("ann"), event("kept"));
    until(|| log.health().failing.is_some());
    for at in 0..80 {
        log.record(who("ann"), event(format!("more {at}")));
    }
    assert_eq!(log.health().shed, 30);
    disk.full.store(false, Ordering::SeqCst);
    until(|| log.health().failing.is_none());
    log.record(who("ann"), event("last"));
    log.close();
    let records = read(directory.path());
    let mut expected = vec!["first".to_owned(), "kept".to_owned()];
    expected.extend((0..50).map(|at| format!("more {at}")));
    expected.push("last".to_owned());
    assert_eq!(names(&records), expected);
    let shed: Vec<_> = records.iter().filter(|r| text(r, "action").as_deref() == Some("log/shed")).collect();
    let number = |field: &str| shed[0].fields.iter().find(|known| known.name == field).map(|known| known.value.clone());
    assert_eq!((shed.len(), number("count")), (1, Some(Value::Number(30))));
    let (Some(Value::Number(from)), Some(Value::Number(until))) = (number("from_us"), number("until_us")) else {
        panic!("{:?}", shed[0].fields)
    };
    assert!(from <= until && until <= shed[0].header.time_us);
}

#[test]
fn many_that_wait_share_a_sync() {
    let directory = tempfile::tempdir().unwrap();
    let (log, disk) = open(directory.path(), Durability::Strict);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || (0..50).for_each(|at| write(log, "ann", format!("{thread} {at}")).unwrap()));
        }
    });
    assert_eq!(log.health().records, 400);
    assert!(disk.syncs.load(Ordering::SeqCst) < 400, "{disk:?}");
    log.close();
    write(&log, "ann", "late").expect_err("it is closed");
}
