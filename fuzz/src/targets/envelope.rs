//! The envelope: what our parser takes is what serde_json reads, and what is spliced changes only where it was named.

use bytes::Bytes;
use omni_protocol::{Message, MessageError, Params, Splice};
use serde_json::Value;

use crate::tree::{has_duplicates, tree, written};

const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
const NAME: &str = "other \"name\" \\ é";

pub(crate) fn run(data: &[u8]) {
    let parsed = Message::parse(Bytes::copy_from_slice(data));
    let known = tree(data);
    let message = match (parsed, &known) {
        (Ok(message), _) => message,
        (Err(MessageError::NotJson(why)), Some(value)) => panic!("serde_json reads {value}, we say: {why}"),
        (Err(MessageError::Batch), Some(value)) => return assert!(value.is_array(), "no batch: {value}"),
        (Err(MessageError::Invalid(_)), Some(value)) => return check_refused(value, data),
        (Err(_), None) => return,
    };
    let Some(known) = known else { return };
    let of = |text: Option<&str>| text.and_then(tree);
    // Where a member that we do not know stands twice, the tree keeps the later one; the known ones stand once.
    assert_eq!(of(message.id()), known.get("id").cloned());
    assert_eq!(of(message.params()), known.get("params").cloned());
    assert_eq!(of(message.result()), known.get("result").cloned());
    assert_eq!(of(message.error()), known.get("error").cloned());
    assert_eq!(message.method().map(|m| m.as_str()), known.get("method").and_then(Value::as_str));
    splice_id(&message, &known);
    splice_params(&message, &known);
}

/// A message of a plain shape must not be refused.
fn check_refused(value: &Value, data: &[u8]) {
    let Value::Object(members) = value else { return };
    let plain = members.get("jsonrpc") == Some(&Value::from("2.0"))
        && members.get("method").is_some_and(Value::is_string)
        && members.get("id").is_none_or(|id| id.is_string() || id.is_number())
        && members.get("params").is_none_or(Value::is_object)
        && !members.contains_key("result")
        && !members.contains_key("error")
        && !members.keys().any(|name| is_alike(name));
    let text = std::str::from_utf8(data).unwrap_or_default();
    assert!(!plain || has_duplicates(text), "a plain message is refused: {value}");
}

/// Whether a reader that minds no case could take it for a member of the envelope: such a message is refused.
fn is_alike(name: &str) -> bool {
    let folded = name.to_uppercase().to_lowercase();
    ENVELOPE.contains(&folded.as_str()) && !ENVELOPE.contains(&name)
}

fn splice_id(message: &Message, known: &Value) {
    let Some(range) = message.id_range() else { return };
    let mut splice = Splice::new();
    splice.replace(range, &b"77"[..]);
    let mut expected = known.clone();
    expected["id"] = Value::from(77);
    assert_eq!(written(splice.apply(message.bytes())), expected);
}

fn splice_params(message: &Message, known: &Value) {
    let Ok(params) = Params::parse(message) else { return };
    let completes = known["params"].get("ref").is_some() && known["method"] == "completion/complete";
    let mut expected = known.clone();
    let Some(place) = expected.pointer_mut(if completes { "/params/ref" } else { "/params" }) else { return };
    let mut splice = Splice::new();
    let quoted = Value::from(NAME).to_string();
    for (member, value, range) in [("name", &params.name, &params.name_range), ("uri", &params.uri, &params.uri_range)]
    {
        let (Some(value), Some(range)) = (value, range) else { continue };
        assert_eq!(place[member], Value::from(value.as_str()), "another {member} than serde_json reads");
        splice.replace(range.clone(), quoted.as_bytes());
        place[member] = Value::from(NAME);
    }
    if let Some((meta, range)) = params.meta.as_ref().and_then(|m| Some((m, m.progress_token_range.clone()?))) {
        assert_eq!(
            meta.progress_token.as_deref().and_then(tree).as_ref(),
            known["params"]["_meta"].get("progressToken")
        );
        splice.replace(range, &b"5"[..]);
        expected["params"]["_meta"]["progressToken"] = Value::from(5);
    }
    let spliced = splice.apply(message.bytes());
    assert_eq!(written(&spliced), expected);
    let again = Message::parse(spliced.into()).map(|m| Params::parse(&m));
    let Ok(Ok(again)) = again else { panic!("what was spliced is refused") };
    assert_eq!(again.name.is_some(), params.name.is_some());
    assert!(again.name.or(again.uri).is_none_or(|name| name == NAME));
}
