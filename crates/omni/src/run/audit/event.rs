//! A record as it is told to others: a JSON object of the fields' names and values.

use omni_audit::query::instant;
use omni_audit::{FieldName, Opened, Value};
use serde_json::{Map, Value as Json};

/// The JSON object of a record.
pub(super) fn json(record: &Opened) -> Map<String, Json> {
    let mut object = Map::new();
    object.insert("index".to_owned(), record.header.index.into());
    object.insert("time".to_owned(), instant(i64::try_from(record.header.time_us).unwrap_or(i64::MAX)).into());
    for field in &record.fields {
        // Which key a person's fields are under is the log's own business.
        if !field.name.starts_with("log.") {
            object.insert(field.name.to_string(), plain(&field.value));
        }
    }
    object
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Number(number) => (*number).into(),
        Value::Flag(flag) => (*flag).into(),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        Value::List(list) => list.iter().map(String::as_str).collect(),
    }
}

/// The text of a field, where it has one.
pub(super) fn text(record: &Opened, name: FieldName) -> Option<&str> {
    record.fields.iter().find(|field| field.name == name.as_str()).and_then(|field| match &field.value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    })
}
