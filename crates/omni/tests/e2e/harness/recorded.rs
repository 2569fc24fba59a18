//! What stands in a hub's audit log, as its operator can read it.

use std::path::{Path, PathBuf};

use omni_audit::{Archive, Segment, Value as Field};
use serde_json::{Map, Value, json};

use crate::harness::{Hub, until};

/// The log of a hub.
pub(crate) fn log_of(hub: &Hub) -> PathBuf {
    hub.home.path().join("data/audit")
}

/// Every record of the log in `directory`, in order, as JSON objects of its fields.
pub(crate) fn records(directory: &Path) -> Vec<Value> {
    let Ok(archive) = Archive::open(directory) else { return Vec::new() };
    let keys = archive.keys().unwrap();
    let mut found = Vec::new();
    for file in archive.segments().unwrap() {
        let mut segment = Segment::open(&file.path).unwrap();
        while let Some(stored) = segment.next_record().unwrap() {
            let opened = archive.open_record(stored.bytes, &keys).unwrap();
            let plain = |field: &omni_audit::Field| match &field.value {
                Field::Text(text) => json!(text),
                Field::Number(number) => json!(number),
                Field::Flag(flag) => json!(flag),
                Field::Bytes(bytes) => json!(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()),
                Field::List(list) => json!(list),
            };
            let fields: Map<String, Value> =
                opened.fields.iter().map(|field| (field.name.to_string(), plain(field))).collect();
            found.push(Value::Object(fields));
        }
    }
    found
}

/// Waits for a record that has all of `wanted`; the record.
pub(crate) async fn record(directory: &Path, wanted: Value) -> Value {
    until(&format!("{wanted} is on record"), 20, async || {
        let all = records(directory);
        let fits = |one: &&Value| wanted.as_object().unwrap().iter().all(|(name, value)| one[name] == *value);
        all.iter().find(fits).cloned().ok_or_else(|| format!("{all:#?}"))
    })
    .await
}
