//! What strangers wrote cannot leave the field that it is in.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use crate::export::{cef, json, ocsf};
use crate::record::{Field, Value};
use crate::seen::{Closed, Seen};

fn call(name: &str, who: &str) -> Seen {
    let text = |name: &'static str, text: &str| Field::hub(name, Value::from(text));
    let fields = vec![
        text("kind", "call"),
        text("action", "tools/call"),
        text("outcome", "denied"),
        text("server", "git"),
        text("name", name),
        text("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        text("principal_kind", "key"),
        Field::hub("policies", Value::List(vec!["p1".into(), "p2".into()])),
        Field::hub("duration_us", Value::Number(1_500)),
        Field::personal("principal", Value::from(who)),
        Field::personal("address", Value::from("10.0.0.1")),
        Field::personal("arguments_sha256", Value::Bytes(vec![0xab; 32])),
    ];
    Seen { log: 1, index: 7, time_us: 1_795_348_800_123_456, fields, closed: Closed::default() }
}

#[test]
fn shb_4_an_event_as_json() {
    let shown = json(&call("commit", "ci"));
    assert_eq!(shown["time"], "2026-11-22T12:00:00.123456Z");
    assert_eq!((&shown["index"], &shown["principal"], &shown["duration_us"]), (&json!(7), &json!("ci"), &json!(1_500)));
    assert_eq!(shown["arguments_sha256"], "ab".repeat(32));
    assert!(shown.get("unreadable").is_none());
    let mut erased = call("commit", "ci");
    erased.closed.personal = Some("erased".into());
    assert_eq!(json(&erased)["unreadable"], json!({ "personal": "erased" }));
}

#[test]
fn shb_4_an_event_as_cef() {
    let line = cef(&call("a|b=c\nd", r"c\i"));
    assert!(line.starts_with("CEF:0|Omni|Omni MCP Hub|"), "{line}");
    assert!(
        line.contains("|call|call tools/call|6|rt=1795348800123 externalId=7 act=tools/call outcome=denied"),
        "{line}"
    );
    assert!(
        line.contains(r" suser=c\\i")
            && line.contains(r"cs2Label=resource cs2=a|b\=c\nd")
            && line.contains(" src=10.0.0.1")
    );
    assert!(line.ends_with(" cn1Label=duration_us cn1=1500"), "{line}");
}

#[test]
fn shb_4_an_event_as_ocsf() {
    let shown = ocsf(&call("commit", "ci"));
    assert_eq!(
        (&shown["class_uid"], &shown["type_uid"], &shown["status_id"]),
        (&json!(6003), &json!(600_399), &json!(2))
    );
    assert_eq!(shown["actor"]["user"], json!({ "name": "ci", "type_id": 4, "type": "Service", "uid": "key:ci" }));
    assert_eq!(
        shown["api"],
        json!({
            "operation": "tools/call", "service": { "name": "git" }, "request": { "uid": "4bf92f3577b34da6a3ce929d0e0e4736" },
        })
    );
    assert_eq!(shown["time"], json!(1_795_348_800_123_i64));
    let mut login = call("", "ci");
    login.fields[0].value = Value::from("authentication");
    login.fields.retain(|field| field.name != "principal");
    let shown = ocsf(&login);
    assert_eq!(
        (&shown["class_uid"], &shown["activity_id"], &shown["user"]["name"]),
        (&json!(3002), &json!(1), &json!("key"))
    );
}

proptest! {
    #[test]
    fn val_1_a_line_of_cef_is_one_line_with_its_own_keys(name in any::<String>(), who in any::<String>()) {
        let line = cef(&call(&name, &who));
        prop_assert!(!line.chars().any(char::is_control));
        let keys = |line: &str| {
            let mut escaped = false;
            line.chars().filter(|c| { let sign = *c == '=' && !escaped; escaped = *c == '\\' && !escaped; sign }).count()
        };
        prop_assert_eq!(keys(&line), keys(&cef(&call("x", "y"))));
    }
}
