//! Tests of the envelope: what is a message, what is none, and that its parts are the very bytes.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::{Message, MessageError, MessageKind};
use crate::Method;

fn parse(text: &str) -> Result<Message, MessageError> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn parts_are_the_bytes_they_came_in() {
    let text = r#" {"x":1, "params" : {"name":"a","arguments":{"n":12345678901234567890123,"f":1.0e+2}},"method":"tools\/call","id":"q","jsonrpc":"2.0"}"#;
    let message = parse(text).unwrap();
    assert_eq!(message.kind(), MessageKind::Request);
    assert_eq!(message.method(), Some(&Method::ToolsCall));
    assert_eq!(message.id(), Some("\"q\""));
    assert_eq!(message.params(), Some(r#"{"name":"a","arguments":{"n":12345678901234567890123,"f":1.0e+2}}"#));
    assert_eq!(message.bytes().as_ref(), text.as_bytes());
}

#[test]
fn kinds() {
    assert_eq!(parse(r#"{"jsonrpc":"2.0","method":"ping"}"#).unwrap().kind(), MessageKind::Notification);
    assert_eq!(parse(r#"{"jsonrpc":"2.0","id":1,"result":null}"#).unwrap().kind(), MessageKind::Response);
    let error = parse(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"m"}}"#).unwrap();
    assert_eq!(error.error_code().unwrap().0, -32022);
}

/// VAL-1, TOOL-2: a server that reads `Params` and `params` as one takes the last; so no call is smuggled, and no answer to
/// another's call by another id.
#[test]
fn members_that_could_be_taken_for_others_are_refused() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"ID":2,"method":"tools/call","params":{"name":"a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"Params":{"name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","M\u0065thod":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"Id":2,"result":{}}"#,
    ] {
        assert!(matches!(parse(text), Err(MessageError::Invalid(_))), "{text}");
    }
    assert!(parse(r#"{"jsonrpc":"2.0","id":1,"method":"ping","x":1,"identity":2}"#).is_ok());
}

/// VAL-1: what is authorized is what is forwarded, so no member of the envelope may stand there twice.
#[test]
fn duplicate_members_are_refused() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","metho\u0064":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
    ] {
        assert!(matches!(parse(text), Err(MessageError::Invalid(_))), "{text}");
    }
}

/// VAL-5: under another id a message is the same to the byte, whether it is copied or changed where it lies.
#[test]
fn val_5_a_message_under_another_id_is_else_the_same() {
    for (length, id) in
        [(10, "77"), (20_000, "77"), (20_000, "\"a\""), (20_000, "123456"), (20_000, "\"a longer one\"")]
    {
        let text = "x".repeat(length);
        let whole = |id: &str| format!(r#"{{"jsonrpc":"2.0" , "id":{id},"result":{{"a":"{text}"}}}}"#);
        for shared in [false, true] {
            let message = parse(&whole("1234")).unwrap();
            let kept = shared.then(|| message.clone());
            assert_eq!(message.with_id(id), whole(id), "{id} of {length}");
            assert!(kept.is_none_or(|kept| kept.bytes() == whole("1234").as_bytes()));
        }
    }
    let text = "x".repeat(20_000);
    let last = parse(&format!(r#"{{"jsonrpc":"2.0","result":["{text}"],"id":12}}"#)).unwrap();
    assert_eq!(last.with_id("7"), format!(r#"{{"jsonrpc":"2.0","result":["{text}"],"id":7}}"#));
}

#[test]
fn what_is_no_message() {
    assert!(matches!(parse("{"), Err(MessageError::NotJson(_))));
    assert!(matches!(parse(""), Err(MessageError::NotJson(_))));
    assert_eq!(parse(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#).unwrap_err(), MessageError::Batch);
    for text in [
        "1",
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":1}"#,
        r#"{"jsonrpc":"2.0","result":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#,
    ] {
        assert!(matches!(parse(text), Err(MessageError::Invalid(_))), "{text}: {:?}", parse(text));
    }
    let invalid_utf8 = Message::parse(Bytes::from_static(b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"p\"}"));
    assert!(matches!(invalid_utf8, Err(MessageError::NotJson(_))));
}

#[test]
fn val_1_an_array_is_never_taken_for_the_object_it_spells() {
    for text in [r#"["2.0",1,"ping"]"#, r#" ["2.0",1,"tools/call",{"name":"x"}]"#, "[\t0]"] {
        assert_eq!(parse(text).unwrap_err(), MessageError::Batch, "{text}");
    }
    assert!(matches!(parse("[1"), Err(MessageError::NotJson(_))));
    let error = parse(r#"{"jsonrpc":"2.0","id":1,"error":[-32601,"x"]}"#).unwrap();
    assert_eq!(error.error_code(), None);
}
