//! Schemas and arguments that are meant to harm, or to get past the check (row VAL-1).
#![allow(clippy::unwrap_used)]

use serde_json::{Map, Value, json};

use crate::schema::tests::compiled;
use crate::schema::{Age, Schema, SchemaBounds, SchemaError};

fn raw(text: &str) -> Result<Schema, SchemaError> {
    Schema::compile(text, Age::SaysDefault, &SchemaBounds::default())
}

#[test]
fn nothing_is_fetched_from_a_network_or_a_file() {
    for to in ["http://127.0.0.1:1/s", "https://x.invalid/s#/a", "file:///etc/passwd", "//x.invalid/s", "other.json"] {
        let found = compiled(&json!({ "properties": { "a": { "$ref": to } } }));
        assert!(found.is_err(), "{to}: {found:?}");
    }
    let dynamic = compiled(&json!({ "properties": { "a": { "$dynamicRef": "https://x.invalid/s#meta" } } }));
    assert!(dynamic.is_err(), "{dynamic:?}");
    // The same as data is no reference.
    assert!(compiled(&json!({ "properties": { "a": { "const": { "$ref": "https://x.invalid/s" } } } })).is_ok());
}

#[test]
fn references_that_double_are_refused_before_they_are_followed() {
    let mut definitions = Map::new();
    for at in 0..40 {
        let to = format!("#/$defs/d{}", at + 1);
        definitions.insert(format!("d{at}"), json!({ "anyOf": [{ "$ref": to.clone() }, { "$ref": to }] }));
    }
    definitions.insert("d40".to_owned(), json!({ "type": "string", "minLength": 3 }));
    let found = compiled(&json!({ "$defs": definitions, "$ref": "#/$defs/d0" }));
    assert!(matches!(found, Err(SchemaError::Bounds(_))), "{found:?}");
}

/// The same, by every other way in which a reference can name a part of its schema.
#[test]
fn references_by_other_names_weigh_as_much() {
    type Named = (&'static str, fn(usize) -> (Value, String));
    let ways: &[Named] = &[
        ("an anchor", |at| (json!({ "$anchor": format!("d{at}") }), format!("#d{at}"))),
        ("a dynamic anchor", |at| (json!({ "$dynamicAnchor": format!("d{at}") }), format!("#d{at}"))),
        ("an id", |at| (json!({ "$id": format!("d{at}") }), format!("d{at}"))),
        ("an absolute id", |at| (json!({ "$id": format!("urn:x:d{at}") }), format!("urn:x:d{at}"))),
        ("an escape", |at| (json!({}), format!("#/$defs/%64{at}"))),
        ("the document", |at| (json!({}), format!("omni:own#/$defs/d{at}"))),
    ];
    for (what, way) in ways {
        for by in ["$ref", "$dynamicRef"] {
            let mut definitions = Map::new();
            for at in 0..40 {
                let (mut node, to) = (way(at).0, way(at + 1).1);
                node["anyOf"] = json!([{ by: to.clone() }, { by: to }]);
                definitions.insert(format!("d{at}"), node);
            }
            let mut last = way(40).0;
            last["minLength"] = json!(3);
            definitions.insert("d40".to_owned(), last);
            let found = compiled(&json!({ "$id": "omni:own", "$defs": definitions, by: way(0).1 }));
            assert!(found.is_err(), "{what} by {by}");
        }
    }
}

/// A property may be called like a keyword whose value is no schema.
#[test]
fn what_stands_under_a_property_weighs_whatever_its_name() {
    let mut definitions = Map::new();
    for at in 0..40 {
        let to = format!("#/$defs/d{}", at + 1);
        definitions.insert(format!("d{at}"), json!({ "anyOf": [{ "$ref": to.clone() }, { "$ref": to }] }));
    }
    definitions.insert("d40".to_owned(), json!({ "minLength": 3 }));
    for name in ["default", "const", "enum", "examples", "$defs", "definitions"] {
        let inner = json!({ name: { "$ref": "#/$defs/d0" } });
        for named in ["properties", "patternProperties", "dependentSchemas"] {
            let found = compiled(&json!({ "$defs": definitions, named: inner }));
            assert!(matches!(found, Err(SchemaError::Bounds(_))), "{named}/{name}: {found:?}");
        }
    }
    let ids: Vec<Value> = (0..500).map(|at| json!({ "id": format!("item-{at}") })).collect();
    assert!(compiled(&json!({ "properties": { "a": { "default": ids } } })).is_ok(), "ids in data are none");
}

#[test]
fn references_by_other_names_still_work() {
    for schema in [
        json!({ "$defs": { "a": { "$anchor": "x", "type": "string" } }, "properties": { "p": { "$ref": "#x" } } }),
        json!({ "$defs": { "a b": { "type": "string" } }, "properties": { "p": { "$ref": "#/$defs/a%20b" } } }),
        json!({ "$defs": { "a": { "$id": "x", "type": "string" } }, "properties": { "p": { "$ref": "x" } } }),
        json!({ "$id": "omni:own", "$defs": { "a": { "type": "string" } }, "properties": { "p": { "$ref": "omni:own#/$defs/a" } } }),
    ] {
        let schema = compiled(&schema).unwrap();
        assert!(schema.fits(&json!({ "p": "a" })) && !schema.fits(&json!({ "p": 1 })));
    }
    let deep = json!({ "definitions": { "a": { "$id": "#x", "type": "string" } }, "properties": { "p": { "$ref": "#x" } },
        "$schema": "http://json-schema.org/draft-07/schema#" });
    let schema = compiled(&deep).unwrap();
    assert!(schema.fits(&json!({ "p": "a" })) && !schema.fits(&json!({ "p": 1 })));
}

#[test]
fn circles_end() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
        json!({ "allOf": [{ "$ref": "#" }, { "$ref": "#" }] }),
        json!({ "$dynamicAnchor": "n", "properties": { "c": { "$dynamicRef": "#n" } } }),
    ] {
        if let Ok(schema) = compiled(&schema) {
            let _either = schema.violations(&json!({ "c": { "c": { "c": 1 } } }));
        }
    }
}

/// Two branches a level, each of which goes down the same value: 2^60 ways to say what is wrong.
#[test]
fn a_recursive_schema_costs_no_more_than_its_value() {
    let branch = json!({ "type": "object", "properties": { "n": { "$ref": "#" } }, "required": ["n"] });
    let schema = compiled(&json!({ "anyOf": [branch, branch, { "type": "string" }] })).unwrap();
    let mut value = json!(1);
    for _ in 0..60 {
        value = json!({ "n": value });
    }
    assert_eq!(schema.violations(&value).len(), 1);
}

#[test]
fn depth_size_and_count_are_bounded() {
    let mut deep = json!({ "type": "string" });
    for _ in 0..70 {
        deep = json!({ "allOf": [deep] });
    }
    assert!(matches!(compiled(&deep), Err(SchemaError::Bounds(_))));
    let long: Vec<String> = (0..60_000).map(|at| format!("value {at}")).collect();
    assert!(matches!(compiled(&json!({ "enum": long })), Err(SchemaError::Bounds(_))));
    let many: Vec<Value> = (0..21_000).map(|_| json!({})).collect();
    assert!(matches!(compiled(&json!({ "anyOf": many })), Err(SchemaError::Bounds(_))));
    // An enumeration that fits is compiled, and is looked through once.
    let fits: Vec<String> = (0..10_000).map(|at| format!("v{at}")).collect();
    let schema = compiled(&json!({ "enum": fits })).unwrap();
    assert!(schema.fits(&json!("v9999")) && !schema.fits(&json!("w")));
}

#[test]
fn a_member_that_stands_twice_makes_a_schema_unusable() {
    for text in [
        r#"{"type":"object","type":"string"}"#,
        r#"{"type":"object","ty\u0070e":"string"}"#,
        r#"{"properties":{"a":{"type":"string"},"a":{}}}"#,
    ] {
        assert!(raw(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_no_schema_is_refused() {
    for text in
        ["true", "[]", "null", "{", r#"{"type":"any"}"#, r#"{"type":"object","required":true}"#, r#"{"minimum":1e400}"#]
    {
        assert!(raw(text).is_err(), "{text}");
    }
}

#[test]
fn patterns_run_in_linear_time() {
    let schema =
        compiled(&json!({ "properties": { "a": { "pattern": "^(a+)+$" }, "b": { "pattern": "^(\\w+\\s?)*$" } } }));
    let schema = schema.unwrap();
    let text = format!("{}!", "a".repeat(100_000));
    assert!(!schema.fits(&json!({ "a": text })) && !schema.fits(&json!({ "b": text })));
    // One that grows to more than a MiB when compiled is left to the server.
    let found = compiled(&json!({ "properties": { "a": { "type": "string", "pattern": "(\\w{1000}){1000}" } } }));
    assert!(found.is_err() || !found.unwrap().unchecked().is_empty());
}

/// The ways past a schema that others' validators have let through.
#[test]
fn bypasses() {
    let closed = json!({
        "type": "object",
        "properties": { "path": { "type": "string", "maxLength": 8 }, "n": { "type": "integer", "minimum": 0, "maximum": 9 } },
        "required": ["path"],
        "additionalProperties": false
    });
    let schema = compiled(&closed).unwrap();
    for good in [json!({ "path": "a" }), json!({ "path": "日本語", "n": 9 }), json!({ "path": "a", "n": 1.0 })] {
        assert!(schema.fits(&good), "{good}");
    }
    for bad in [
        json!({}),
        json!([]),
        json!("path"),
        json!(null),
        json!({ "path": null }),
        json!({ "path": ["a"] }),
        json!({ "path": { "toString": "a" } }),
        json!({ "Path": "a" }),
        // A Cyrillic letter, a full-width one, one with a zero-width space: other names.
        json!({ "pаth": "a" }),
        json!({ "path": "a", "ｎ": 1 }),
        json!({ "path": "a", "n\u{200b}": 1 }),
        json!({ "path": "a", "__proto__": { "n": 1 } }),
        json!({ "path": "a", "constructor": {} }),
        json!({ "path": "a", "n": "5" }),
        json!({ "path": "a", "n": true }),
        json!({ "path": "a", "n": -1 }),
        json!({ "path": "a", "n": 1.5 }),
        json!({ "path": "a", "n": 1e300 }),
        json!({ "path": "a", "n": 18_446_744_073_709_551_615_u64 }),
        json!({ "path": "123456789" }),
    ] {
        assert!(!schema.fits(&bad), "{bad}");
    }
    // Minus nothing is nothing, in every language that servers are written in.
    let zero: Value = serde_json::from_str(r#"{"path":"a","n":-0}"#).unwrap();
    assert!(schema.fits(&zero));
    // A number that no double holds is no number to anybody.
    assert!(serde_json::from_str::<Value>(r#"{"path":"a","n":1e400}"#).is_err());
}

#[test]
fn what_is_composed_is_closed_as_well() {
    let schema = compiled(&json!({
        "allOf": [
            { "properties": { "a": { "type": "string" } } },
            { "if": { "properties": { "a": { "const": "x" } }, "required": ["a"] }, "then": { "properties": { "b": {} } } }
        ],
        "unevaluatedProperties": false
    }))
    .unwrap();
    assert!(schema.fits(&json!({ "a": "x", "b": 1 })));
    assert!(!schema.fits(&json!({ "a": "y", "b": 1 })) && !schema.fits(&json!({ "c": 1 })));
    let items = compiled(&json!({ "prefixItems": [{ "type": "string" }], "unevaluatedItems": false })).unwrap();
    assert!(items.fits(&json!(["a"])) && !items.fits(&json!(["a", "b"])));
    let dynamic = compiled(&json!({
        "$id": "omni:tree", "$dynamicAnchor": "node", "type": "object",
        "properties": { "kids": { "type": "array", "items": { "$dynamicRef": "#node" } } }, "additionalProperties": false
    }));
    if let Ok(schema) = dynamic {
        assert!(schema.fits(&json!({ "kids": [{ "kids": [] }] })) && !schema.fits(&json!({ "kids": [{ "x": 1 }] })));
    }
}
