//! The writer against disks that fail, crashes, lost keys; what it wrote is read by the archive.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod crash;
mod example;
mod failing;
mod faults;
mod keys;
mod reopening;

use std::path::Path;
use std::time::Duration;

use omni_types::Principal;

use super::{Durability, LastingLog, LogSettings};
use crate::archive::Archive;
use crate::event::Event;
use crate::kind::{EventKind, Outcome};
use crate::record::{Opened, Personal, Value};
use crate::segment::Segment;
use crate::sink::Sink;
use crate::who::Who;

fn settings(directory: &Path, durability: Durability) -> LogSettings {
    LogSettings { durability, group: Duration::from_millis(1), ..LogSettings::new(directory.join("audit")) }
}

fn open(directory: &Path) -> LastingLog {
    let (log, notices) = LastingLog::open(&settings(directory, Durability::Strict)).unwrap();
    assert_eq!(notices, [""; 0]);
    log
}

fn who(name: &str) -> Who {
    Who::from(&Principal::local(name))
}

fn event(name: impl Into<String>) -> Event {
    Event::new(EventKind::Call, "tools/call", Outcome::Success).on(None, name)
}

/// Records, and waits until it is durable.
fn write(log: &LastingLog, person: &str, name: impl Into<String>) -> Result<(), crate::NotRecorded> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(log.record_durably(who(person), event(name)))
}

/// All records of a log, opened.
fn read(directory: &Path) -> Vec<Opened> {
    let archive = Archive::open(&directory.join("audit")).unwrap();
    let keys = archive.keys().unwrap();
    raw(directory).iter().map(|bytes| archive.open_record(bytes, &keys).unwrap()).collect()
}

/// All records of a log, as they are stored.
fn raw(directory: &Path) -> Vec<Vec<u8>> {
    let archive = Archive::open(&directory.join("audit")).unwrap();
    let segments = archive.segments().unwrap();
    let mut records = Vec::new();
    for (at, file) in segments.iter().enumerate() {
        let mut segment = Segment::open(&file.path).unwrap();
        let end = segments.get(at + 1).map_or(u64::MAX, |next| next.first);
        while let Some(stored) = segment.next_record().unwrap() {
            if stored.index < end {
                assert_eq!(stored.index, records.len() as u64);
                records.push(stored.bytes.to_vec());
            }
        }
    }
    records
}

fn names(records: &[Opened]) -> Vec<String> {
    records.iter().filter_map(|record| text(record, "name")).collect()
}

fn text(record: &Opened, field: &str) -> Option<String> {
    record.fields.iter().find(|known| known.name == field).map(|known| match &known.value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    })
}
