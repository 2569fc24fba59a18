//! JSON as clients really keep it: read, edited, and every other byte left alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cli::jsonc::{parse, set, unset};

fn entry() -> Value {
    json!({"type": "http", "url": "http://127.0.0.1:8420/mcp"})
}

const PATH: [&str; 2] = ["mcpServers", "omni"];

#[test]
fn reads_comments_trailing_commas_and_a_byte_order_mark() {
    let text =
        "\u{feff}// head\r\n{ /* a */ \"a\": [1, 2,], // b\r\n \"b\": {\"c\": \"\\u00e9//no\",},\r\n}\r\n// tail";
    assert_eq!(parse(text).unwrap().plain(), json!({"a": [1, 2], "b": {"c": "é//no"}}));
}

#[test]
fn faults_have_line_and_column() {
    for (text, part) in [
        ("{\n  \"a\" 1}", "line 2, column 7: `:`"),
        ("{\"a\": nope}", "column 7: no JSON value"),
        ("{\"a\": \"x", "not closed"),
        ("{\"a\": 1} x", "after the end"),
        ("{a: 1}", "double quotes"),
        ("/* x", "comment"),
        ("", "ends too early"),
        ("{\"a\": \"\\q\"}", "escape"),
        ("{\"a\": \"\\", "not closed"),
        ("[1 2]", "`,` or `]`"),
    ] {
        let fault = parse(text).unwrap_err();
        assert!(fault.contains(part), "{text:?}: {fault}");
    }
    assert!(parse(&"[".repeat(100_000)).unwrap_err().contains("too deep"));
}

#[test]
fn a_member_is_put_in_where_it_belongs_in_the_file_s_own_manner() {
    let entry4 = "{\n            \"type\": \"http\",\n            \"url\": \"http://127.0.0.1:8420/mcp\"\n        }";
    for (before, after) in [
        ("", "{\n  \"mcpServers\": {\n    \"omni\": {\n      \"type\": \"http\",\n      \"url\": \"http://127.0.0.1:8420/mcp\"\n    }\n  }\n}\n".to_owned()),
        (
            "{\n    \"mcpServers\": {\n        \"a\": {} // keep\n    },\n    \"z\": 1\n}\n",
            format!("{{\n    \"mcpServers\": {{\n        \"a\": {{}}, // keep\n        \"omni\": {entry4}\n    }},\n    \"z\": 1\n}}\n"),
        ),
        (
            "{\n    \"mcpServers\": {\n        \"a\": {},\n    },\n}",
            format!("{{\n    \"mcpServers\": {{\n        \"a\": {{}},\n        \"omni\": {entry4}\n    }},\n}}"),
        ),
        ("{\n    \"mcpServers\": {}\n}", format!("{{\n    \"mcpServers\": {{\n        \"omni\": {entry4}\n    }}\n}}")),
        (
            "{\"mcpServers\":{\"a\":{}},\"z\":1}",
            "{\"mcpServers\":{\"a\":{}, \"omni\": {\"type\":\"http\",\"url\":\"http://127.0.0.1:8420/mcp\"}},\"z\":1}".to_owned(),
        ),
    ] {
        assert_eq!(set(before, &PATH, &entry()).unwrap(), after);
    }
}

#[test]
fn crlf_tabs_and_the_byte_order_mark_stay() {
    let before = "\u{feff}{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {}\r\n\t}\r\n}\r\n";
    let after = set(before, &PATH, &entry()).unwrap();
    assert!(after.starts_with('\u{feff}'));
    assert!(after.contains("\t\t\"a\": {},\r\n\t\t\"omni\": {\r\n\t\t\t\"type\": \"http\",\r\n"));
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
    assert_eq!(unset(&after, &PATH).unwrap(), before);
}

#[test]
fn an_existing_member_is_replaced_in_its_place() {
    let before = "{\n  \"mcpServers\": {\n    \"omni\": {\"url\": \"old\"}, // ours\n    \"b\": 1\n  }\n}";
    let after = set(before, &PATH, &entry()).unwrap();
    assert!(after.contains("\"url\": \"http://127.0.0.1:8420/mcp\"\n    }, // ours\n    \"b\": 1"), "{after}");
}

#[test]
fn a_member_is_taken_out_with_its_comma() {
    for (before, after) in [
        ("{\"mcpServers\": {\"a\": 1, \"omni\": 2}}", "{\"mcpServers\": {\"a\": 1 }}"),
        ("{\"mcpServers\": {\"omni\": 2, \"a\": 1}}", "{\"mcpServers\": {\"a\": 1}}"),
        ("{\"mcpServers\": {\"omni\": 2}}", "{\"mcpServers\": {}}"),
        ("{\"mcpServers\": {\n  // note\n  \"omni\": 2\n}}", "{\"mcpServers\": {\n  // note\n}}"),
        (
            "{\n \"mcpServers\": {\n  \"a\": 1, // x\n  \"omni\": 2\n }\n}",
            "{\n \"mcpServers\": {\n  \"a\": 1 // x\n }\n}",
        ),
        ("{\"other\": 1}", "{\"other\": 1}"),
        ("", ""),
    ] {
        assert_eq!(unset(before, &PATH).unwrap(), after, "{before}");
    }
}

#[test]
fn what_is_no_object_is_not_edited() {
    assert!(set("[]", &PATH, &entry()).unwrap_err().contains("the file is not an object"));
    assert!(set("{\"mcpServers\": []}", &PATH, &entry()).unwrap_err().contains("`mcpServers` is not an object"));
    assert!(set("{", &PATH, &entry()).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".*".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn setting_and_unsetting_changes_nothing_else(servers in proptest::collection::btree_map("[a-z]{1,4}", value(), 0..4), pretty in any::<bool>()) {
        prop_assume!(!servers.contains_key("omni"));
        let before = json!({"x": 1, "mcpServers": servers, "y": [{}]});
        let text = if pretty { format!("{before:#}") } else { before.to_string() };
        let after = set(&text, &PATH, &entry()).unwrap();
        let mut wanted = before.clone();
        wanted["mcpServers"]["omni"] = entry();
        prop_assert_eq!(parse(&after).unwrap().plain(), wanted);
        prop_assert_eq!(parse(&unset(&after, &PATH).unwrap()).unwrap().plain(), before);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[{}\\[\\]\":,/*\\\\ a1\\n\u{e9}]{0,40}") {
        let _ = parse(&text);
        let _ = set(&text, &PATH, &entry());
        let _ = unset(&text, &PATH);
    }
}
