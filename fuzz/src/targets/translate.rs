//! Requests and results carried between the eras: what the bytes become is what the same step makes of their tree.

use omni_protocol::{
    Bounds, CacheHint, legacy_request, legacy_result, meta_keys as keys, modern_request, modern_result, object_with,
    scan, without_members,
};
use serde_json::{Map, Value, json};

use crate::tree::{tree, written};

const INFO: &str = r#"{"name":"s","version":"1"}"#;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let known = match tree(text) {
        Some(Value::Object(known)) => known,
        // Half a surrogate pair, or the like: no second opinion to be had.
        None if serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok() => return,
        _ => return refused(text),
    };
    // Parameters have been scanned before; results may hold a member twice, which then must still be JSON.
    let once = scan(text, &Bounds::default()).is_ok();
    requests(text, &known, once);
    results(text, &known, once);
    objects(text, &known, once);
}

/// What is no object is not translated, and nothing is made up.
fn refused(text: &str) {
    assert!(modern_result(text, None, Some(INFO)).is_err() && legacy_result(text).is_err());
    assert!(modern_request(Some(text), INFO, "{}", None).is_err() && legacy_request(text).is_err());
}

fn without(map: &Map<String, Value>, unwanted: &[&str]) -> Map<String, Value> {
    map.iter().filter(|(key, _)| !unwanted.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
}

const MODERN: [&str; 4] = [keys::PROTOCOL_VERSION, keys::CLIENT_INFO, keys::CLIENT_CAPABILITIES, keys::LOG_LEVEL];

fn requests(text: &str, known: &Map<String, Value>, once: bool) {
    let meta = known.get("_meta");
    let refused = meta.is_some_and(|meta| !meta.is_object());
    let (legacy, modern) = (legacy_request(text), modern_request(Some(text), INFO, "{}", Some("debug")));
    if refused {
        return assert!(!once || legacy.is_err() && modern.is_err(), "`_meta` is no object: {text}");
    }
    let (Ok(legacy), Ok(modern)) = (legacy, modern) else { return assert!(!once, "refused: {text}") };
    let (legacy, modern) = (written(&legacy), written(&modern));
    if !once {
        return;
    }
    let kept = meta.and_then(Value::as_object).map(|meta| without(meta, &MODERN)).unwrap_or_default();
    let mut expected = without(known, &["_meta"]);
    if !kept.is_empty() {
        expected.insert("_meta".to_owned(), Value::Object(kept.clone()));
    }
    assert_eq!(legacy, Value::Object(expected.clone()), "{text}");
    let mut whole = kept;
    whole.insert(keys::PROTOCOL_VERSION.to_owned(), json!("2026-07-28"));
    whole.insert(keys::CLIENT_INFO.to_owned(), written(INFO));
    whole.insert(keys::CLIENT_CAPABILITIES.to_owned(), json!({}));
    whole.insert(keys::LOG_LEVEL.to_owned(), json!("debug"));
    expected.insert("_meta".to_owned(), Value::Object(whole));
    assert_eq!(modern, Value::Object(expected), "{text}");
}

fn results(text: &str, known: &Map<String, Value>, once: bool) {
    let Ok(legacy) = legacy_result(text) else { return assert!(!once, "refused: {text}") };
    let legacy = written(&legacy);
    let Ok(modern) = modern_result(text, Some(CacheHint::NONE), Some(INFO)) else {
        return assert!(!once, "refused: {text}");
    };
    let modern = written(&modern);
    if !once {
        return;
    }
    assert_eq!(legacy, Value::Object(without(known, &["resultType", "ttlMs", "cacheScope"])));
    let mut expected = known.clone();
    expected.entry("resultType").or_insert_with(|| json!("complete"));
    if !known.contains_key("ttlMs") && !known.contains_key("cacheScope") {
        expected.insert("ttlMs".to_owned(), json!(0));
        expected.insert("cacheScope".to_owned(), json!("private"));
    }
    match expected.entry("_meta").or_insert_with(|| json!({})) {
        Value::Object(meta) => {
            meta.entry(keys::SERVER_INFO).or_insert_with(|| written(INFO));
        }
        // A `_meta` that is no object says nothing, and a client would refuse it.
        other => *other = json!({ keys::SERVER_INFO: written(INFO) }),
    }
    assert_eq!(modern, Value::Object(expected), "{text}");
}

fn objects(text: &str, known: &Map<String, Value>, once: bool) {
    let Some(first) = known.keys().next() else { return };
    let Ok(rest) = without_members(text, |key| key == first) else { return assert!(!once, "refused: {text}") };
    let (rest, more) = (written(&rest), written(object_with(text, r#""another one":[1]"#)));
    if once {
        assert_eq!(rest, Value::Object(without(known, &[first])));
        let mut expected = known.clone();
        expected.entry("another one").or_insert_with(|| json!([1]));
        assert_eq!(more, Value::Object(expected));
    }
}
