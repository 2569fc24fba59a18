//! What a glance lets pass, the exact readers let pass too, and find the same in it (rows VAL-1 and VAL-3).
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{glance, plain_run};
use crate::message::Message;
use crate::params::Params;
use crate::scan::{Bounds, ScanError, scan};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a b","arguments":{"n":-1.5e+2,"l":[true,null,{"k":"\u00e9\n"}],"":""},"_meta":{"progressToken":"t","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x"},"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"info","other":1}}}"#;

/// Whether a glance was enough; panics where it and the exact readers disagree.
fn agree(text: &str) -> bool {
    let Some(seen) = glance(text) else { return false };
    let exact = serde_json::from_str::<serde_json::Value>(text);
    // Numbers beyond what serde's own number holds are no matter: they are never read as such.
    assert!(exact.is_ok() || exact.unwrap_err().to_string().contains("out of range"), "{text}");
    if seen.jsonrpc.clone().is_none_or(|place| &text[place] != "\"2.0\"") {
        return false;
    }
    let exact = Message::parse_exactly(text.to_owned().into()).unwrap();
    let quick = Message::of(text.to_owned().into(), seen);
    let parts = |m: &Message| {
        let (id, params) = (m.id_range(), m.params_range());
        (m.kind(), m.method().cloned(), id, params, m.result_range(), m.error().map(str::to_owned))
    };
    assert_eq!(parts(&quick), parts(&exact), "{text}");
    let Some(shape) = quick.shape() else { return true };
    let params = exact.params().unwrap();
    let tight =
        Bounds { depth_max: shape.depth, string_bytes_max: shape.string_bytes, elements_max: shape.elements.max(1) };
    assert_eq!(scan(params, &tight), Ok(()), "{text}");
    let less = Bounds { depth_max: shape.depth - 1, ..tight };
    assert!(matches!(scan(params, &less), Err(ScanError::Depth { .. })), "{text}");
    if shape.elements > 0 {
        let less = Bounds { elements_max: shape.elements - 1, ..tight };
        assert!(matches!(scan(params, &less), Err(ScanError::Elements { .. })), "{text}");
    }
    if shape.string_bytes > 0 {
        let less = Bounds { string_bytes_max: shape.string_bytes - 1, ..tight };
        assert!(matches!(scan(params, &less), Err(ScanError::StringLength { .. })), "{text}");
    }
    if let Some(quick) = Params::of(&quick, shape) {
        let exact = Params::parse_exactly(&exact, params).unwrap();
        assert_eq!(format!("{quick:?}"), format!("{exact:?}"), "{text}");
    }
    true
}

#[test]
fn ordinary_messages_need_no_second_look() {
    for text in [
        CALL,
        r#" { "jsonrpc" : "2.0" , "method" : "ping" , "id" : "\"q\"" } "#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x\\y"}],"a":1,"a":2}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}"#,
        r#"{"method":"tools/list","params":{"cursor":"c"},"jsonrpc":"2.0","id":0}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"u:x","_meta":{}}}"#,
    ] {
        assert!(agree(text), "{text}");
    }
}

#[test]
fn val_1_what_is_out_of_the_ordinary_is_left_to_the_exact_readers() {
    let deep = "[".repeat(100) + &"]".repeat(100);
    let wide: String = (0..30).map(|n| format!("\"k{n}\":{n},")).collect();
    let many = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{{wide}"z":1}}}}"#);
    let nested = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{deep}}}}}"#);
    for text in [
        many.as_str(),
        nested.as_str(),
        "",
        "{}",
        "[]",
        r#"{"jsonrpc":"2.0","jsonrpc":"2.0","method":"x"}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":1,"a":2}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":{"b":[{"c":1,"c":1}]}}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"_meta":{"c":1,"c":1}}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":1,"\u0061":2}}"#,
        r#"{"jsonrpc":"2.0","metho\u0064":"x"}"#,
        r#"{"jsonrpc":"2.0","method":"\u0078"}"#,
        r#"{"jsonrpc":"2.0","method":"x"}}"#,
        r#"{"jsonrpc":"2.0","method":"x",}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":[1,]}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":01}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":1.}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":-}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":nul}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":"\x"}}"#,
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":"\u12g4"}}"#,
        "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":\"\n\"}}",
        r#"{"jsonrpc":"2.0","method":"x","params":{"a":"#,
    ] {
        assert!(!agree(text), "{text}");
    }
}

#[test]
fn the_end_of_a_string_is_found_wherever_it_is() {
    for special in [b'"', b'\\', 0x00, 0x1f] {
        for length in 0..300 {
            let mut text = vec![b'x'; length];
            text.extend_from_slice("é\u{7f}~ ".as_bytes());
            let end = text.len();
            text.push(special);
            text.extend_from_slice(b"\"\\\x01 and more of it, long enough for a block of its own");
            assert_eq!(plain_run(&text, &mut 0), end, "{length}");
        }
    }
    assert_eq!(plain_run("é~".repeat(100).as_bytes(), &mut 0), 300);
}

#[test]
fn tool_5_a_byte_that_is_odd_and_an_escape_are_seen_wherever_they_stand() {
    for (odd, spelling) in
        [("~ ", (false, false)), ("\u{7f}", (false, true)), ("é", (false, true)), ("\\n", (true, false))]
    {
        for length in 0..200 {
            let (before, after) = ("x".repeat(length), "x".repeat(200 - length));
            for text in [
                format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"a":[{{"b":"{before}{odd}{after}"}}]}}}}"#),
                format!(r#"{{"jsonrpc":"2.0","id":"{before}{odd}","result":{{}}}}"#),
                format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"{before}{odd}{after}":1}}}}"#),
            ] {
                let message = Message::parse(text.clone().into()).unwrap();
                assert_eq!((message.spelling().escapes, message.spelling().odd_bytes), spelling, "{text}");
            }
        }
    }
}

#[test]
fn val_5_what_a_result_has_is_known_from_a_glance_or_looked_for() {
    let of = |result: &str| {
        let message = Message::parse(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#).into()).unwrap();
        let has = ["structuredContent", "taskId", "task", "_meta", "resultType", "uri"].map(|name| {
            let quoted = format!("\"{name}\"");
            let might = message.result_might_have(&quoted);
            let there = serde_json::from_str::<serde_json::Value>(result).unwrap().get(name).is_some();
            assert!(might || !there, "{name} in {result}");
            might
        });
        (has, message.result_is_error())
    };
    let (no, all) = ([false; 6], [true; 6]);
    assert_eq!(of(r#"{"content":[{"task":1,"isError":true}],"isError":false}"#), (no, false));
    assert_eq!(of(r#"{"isError" : true,"isError":false}"#), (no, true));
    assert_eq!(of(r#"{"isError":false,"isError":true}"#), (no, false));
    assert_eq!(of(r#"{"structuredContent":1,"_meta":{"uri":2}}"#), ([true, false, false, true, false, true], false));
    // A name with escapes could be any.
    assert_eq!(of(r#"{"i\u0073Error":true,"t\u0061sk":1}"#), (all, true));
    assert_eq!(of("[]"), (no, false));
}

fn json() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("name"),
        Just("uri"),
        Just("cursor"),
        Just("level"),
        Just("ref"),
        Just("_meta"),
        Just("arguments"),
        Just("progressToken"),
        Just("io.modelcontextprotocol/protocolVersion"),
        Just("a"),
        Just("\\u0061"),
        Just(""),
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"2026-07-28\"".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("no JSON", |f| f.is_finite()).prop_map(|n| format!("{n:e}")),
        ".{0,12}".prop_map(|s| serde_json::to_string(&s).unwrap()),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(|all| format!("[{}]", all.join(" , "))),
            proptest::collection::vec((name.clone(), inner), 0..5).prop_map(|all| {
                let all: Vec<String> = all.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", all.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_parameters(value in json(), method in prop_oneof![
        Just("tools/call"), Just("resources/read"), Just("completion/complete"), Just("tools/list"), Just("x"),
    ]) {
        agree(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{value}}}"#));
        agree(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{value}}}"#));
    }

    /// A good message with a piece of it replaced.
    #[test]
    fn a_damaged_message(from in 0..CALL.len(), length in 0..12usize, piece in "[\\]\\[{}\",:\\\\a0.eE+ \t-]{0,4}") {
        let mut text = CALL.to_owned();
        text.replace_range(from..(from + length).min(CALL.len()), &piece);
        agree(&text);
    }
}
