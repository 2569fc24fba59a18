//! An event as one JSON object, its fields under the names of the schema.

use serde_json::{Map, Value as Json, json};

use crate::query::instant;
use crate::record::Value;
use crate::seen::{Seen, value_text};

/// An event as JSON: `log` where it is not the hub's own, `index`, `time`, its fields, and under `unreadable` what of it nobody can read any more.
#[must_use]
pub fn json(event: &Seen) -> Json {
    let mut object = Map::new();
    if event.log != 1 {
        object.insert("log".to_owned(), json!(event.log));
    }
    object.insert("index".to_owned(), json!(event.index));
    object.insert("time".to_owned(), json!(instant(event.time_us)));
    for field in &event.fields {
        object.insert(field.name.to_string(), value(&field.value));
    }
    let closed = [("internal", &event.closed.internal), ("personal", &event.closed.personal)];
    let unreadable = closed.iter().filter_map(|(part, why)| why.as_ref().map(|why| ((*part).to_owned(), json!(why))));
    let unreadable: Map<String, Json> = unreadable.collect();
    if !unreadable.is_empty() {
        object.insert("unreadable".to_owned(), Json::Object(unreadable));
    }
    Json::Object(object)
}

fn value(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Number(number) => json!(number),
        Value::Bytes(_) => json!(value_text(value)),
        Value::Flag(flag) => json!(flag),
        Value::List(list) => json!(list),
    }
}
