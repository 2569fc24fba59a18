//! What a server answers reaches the client byte for byte, whatever JSON it is.

use proptest::prelude::{Strategy, any, prop};
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::harness::{Client, Era, Hub, bad, everything};

/// Answers tried in each era.
const CASES: u32 = 100;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

/// Numbers that a parser into `f64` or `i64` would not give back as they were.
fn number() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 14] = [
        "0",
        "-0",
        "1.50e+02",
        "1e400",
        "-1E-400",
        "12345678901234567890123456789",
        "0.10",
        "1.0",
        "9007199254740993",
        "18446744073709551616",
        "-9223372036854775809",
        "1E5",
        "0e0",
        "0.1000000000000000055511151231257827",
    ];
    proptest::prop_oneof![
        prop::sample::select(&KNOWN[..]).prop_map(str::to_owned),
        any::<i64>().prop_map(|n| n.to_string()),
        "-?[1-9][0-9]{0,40}(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// Strings in spellings that a parser would not give back: escapes of what needs none, lone surrogates, raw UTF-8.
fn string() -> impl Strategy<Value = String> {
    let piece = proptest::prop_oneof![
        "[a-z /:.{}\\[\\],]{0,12}",
        Just::of(&[
            "\\u0061",
            "\\u00e9",
            "\\ud83d\\ude00",
            "\\ud800",
            "\\/",
            "/",
            "\\b\\f\\n\\r\\t",
            "\\\"",
            "\\\\",
            "\\u0000",
            "\u{e9}",
            "\u{1f600}",
            "\u{2028}",
            "\u{7f}",
            "\\u2028",
            "test://static-text",
            "uri",
            "null",
        ]),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

struct Just;

impl Just {
    fn of(all: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop::sample::select(all).prop_map(str::to_owned)
    }
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["", "", "", " ", "\t", "  "][..])
}

/// The members of an object, in any order, with names that differ.
fn object(value: impl Strategy<Value = String>, names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let member = (prop::sample::select(names), value, blank(), blank());
    prop::collection::vec(member, 0..5).prop_map(|members| {
        let mut seen = std::collections::HashSet::new();
        let texts: Vec<String> = members
            .into_iter()
            .filter(|(name, ..)| seen.insert(*name))
            .map(|(name, value, before, after)| format!("{before}\"{name}\":{after}{value}{before}"))
            .collect();
        format!("{{{}}}", texts.join(","))
    })
}

fn value() -> impl Strategy<Value = String> {
    let leaf = proptest::prop_oneof![Just::of(&["null", "true", "false", "{}", "[]", "[ ]"]), number(), string()];
    leaf.prop_recursive(6, 40, 5, |inner| {
        let array = (prop::collection::vec(inner.clone(), 0..5), blank())
            .prop_map(|(items, blank)| format!("[{blank}{}{blank}]", items.join(&format!("{blank},"))));
        proptest::prop_oneof![array, object(inner, &["a", "uri", "text", "\\u0061b", "é", "type", "resource", "_meta"])]
    })
}

/// A result: an object of members that the hub knows, and of others.
fn result() -> impl Strategy<Value = String> {
    let names =
        &["content", "isError", "structuredContent", "_meta", "x-unknown", "resultType", "nextCursor", "uri", "Z", "é"];
    let deep = (1usize..400).prop_map(|depth| format!("{{\"deep\":{}1{}}}", "[".repeat(depth), "]".repeat(depth)));
    proptest::prop_oneof![9 => object(value(), names), 1 => deep]
}

fn check(path: &'static str, tool: &'static str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    // Two servers, so that URIs are looked at as well.
    let hub = Hub::unscreened(json!({ "raw": bad(&["echo-raw"]), "other": everything(&[]) }));
    let client = runtime.block_on(Client::open(&hub, path, Era::Legacy));
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&result(), |raw| {
        let params = json!({ "name": tool, "arguments": { "raw": raw } });
        let answer = runtime.block_on(client.ask("tools/call", params));
        let messages = answer.messages();
        let envelope: Envelope<'_> = serde_json::from_str(messages.last().unwrap()).unwrap();
        proptest::prop_assert_eq!(envelope.result.map(RawValue::get), Some(raw.as_str()), "{:?}", messages);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn gw_1_whatever_one_server_answers_reaches_the_client_byte_for_byte() {
    check("/mcp/raw", "echo");
}

#[test]
fn gw_1_whatever_one_of_several_servers_answers_reaches_the_client_byte_for_byte() {
    check("/mcp", "raw__echo");
}

/// Between the eras members are added and taken away; the others stay as they were written.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_across_the_eras_every_member_of_the_tools_own_keeps_its_spelling() {
    let hub = Hub::unscreened(json!({ "raw": bad(&["echo-raw"]) }));
    let own = [
        ("content", r#"[ {"type":"text","text":"\u0061\/b","n":1.50e+02 } ]"#),
        ("structuredContent", r#"{"z":12345678901234567890123456789,"a":1e400,"m":{"y":[0.10,-0]}}"#),
        ("isError", "false"),
        ("x-unknown", r#"{"b":1,"a":[null , 2]}"#),
    ];
    let members: Vec<String> = own.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let raw = format!("{{{}}}", members.join(","));
    for path in ["/mcp/raw", "/mcp"] {
        let client = Client::open(&hub, path, Era::Modern).await;
        let tool = if path == "/mcp" { "raw__echo" } else { "echo" };
        let answer = client.ask("tools/call", json!({ "name": tool, "arguments": { "raw": raw } })).await;
        let text = answer.messages().pop().unwrap();
        for (name, value) in own {
            assert!(text.contains(&format!("\"{name}\":{value}")), "{name} changed in {text}");
        }
        assert!(text.contains(r#""resultType":"complete""#), "{text}");
    }
}

/// Arguments travel as the bytes they came in too.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_arguments_reach_the_server_as_they_were_written() {
    let fixture = crate::harness::HttpFixture::start(&["--era", "modern"]);
    let hub = Hub::unscreened(json!({ "raw": bad(&["echo-raw"]), "web": fixture.entry() }));
    let client = Client::open(&hub, "/mcp/raw", Era::Legacy).await;
    // The escapes are undone by the server alone: it repeats the text that they stand for.
    let body = r#"{"jsonrpc":"2.0","id":"\u0061-1","method":"tools/call","params":{"name":"echo","arguments":{"raw":"{\"a\":\u00221e400\u0022}","unknown":1.50e+02}}}"#;
    let answer = client.post(body, &[]).await;
    assert_eq!(answer.messages(), [r#"{"jsonrpc":"2.0","id":"\u0061-1","result":{"a":"1e400"}}"#]);
}
