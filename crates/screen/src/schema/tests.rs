//! What is compiled, and what is told of values that do not fit.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use crate::schema::{Age, Schema, SchemaBounds, SchemaError};

pub(super) fn compiled(schema: &serde_json::Value) -> Result<Schema, SchemaError> {
    Schema::compile(&schema.to_string(), Age::SaysDefault, &SchemaBounds::default())
}

#[test]
fn val_1_complaints_name_places_and_no_values() {
    let schema = compiled(&json!({
        "type": "object",
        "properties": {
            "a": { "type": "integer" },
            "b~/c": { "type": "array", "items": { "type": "string", "maxLength": 2 } }
        },
        "required": ["a"],
        "additionalProperties": false
    }))
    .unwrap();
    let found = schema.violations(&json!({ "b~/c": ["x", "hunter2"], "z": 1 }));
    let places: Vec<&str> = found.iter().map(|v| v.pointer.as_str()).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(places.contains(&"/b~0~1c/1") && places.contains(&""), "{found:?}");
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    assert!(schema.violations(&json!({ "a": 1 })).is_empty());
}

#[test]
fn val_1_dialects() {
    let tuple = json!({ "type": "object", "properties": { "t": { "items": [{ "type": "string" }] } } });
    // In 2020-12 a list of schemas under `items` is no schema; servers that say nothing of it mean draft-07.
    assert!(compiled(&tuple).is_err());
    let old = Schema::compile(&tuple.to_string(), Age::SaysNothing, &SchemaBounds::default()).unwrap();
    assert!(!old.fits(&json!({ "t": [1] })));
    for said in ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft-07/schema"] {
        let mut explicit = tuple.clone();
        explicit["$schema"] = json!(said);
        assert!(!compiled(&explicit).unwrap().fits(&json!({ "t": [1] })), "{said}");
    }
    let unknown = compiled(&json!({ "$schema": "https://example.com/own", "type": "object" }));
    assert!(matches!(unknown, Err(SchemaError::Dialect(_))), "{unknown:?}");
    // What 2020-12 alone has is checked.
    let modern = compiled(&json!({
        "$defs": { "base": { "properties": { "a": {} } } },
        "type": "object", "$ref": "#/$defs/base", "unevaluatedProperties": false
    }))
    .unwrap();
    assert!(modern.fits(&json!({ "a": 1 })) && !modern.fits(&json!({ "b": 1 })));
}

#[test]
fn val_1_a_pattern_that_is_not_linear_is_left_out_and_the_rest_is_checked() {
    let schema = compiled(&json!({
        "type": "object",
        "properties": { "mail": { "type": "string", "pattern": "^(?!\\.)[^@]+@x$" }, "n": { "type": "integer" } }
    }))
    .unwrap();
    assert_eq!(schema.unchecked(), ["^(?!\\.)[^@]+@x$"]);
    assert!(schema.fits(&json!({ "mail": ".@y", "n": 1 })));
    assert!(!schema.fits(&json!({ "mail": 1 })) && !schema.fits(&json!({ "n": "x" })));
}

#[test]
fn val_1_a_null_argument_is_one_that_is_left_out() {
    let members = json!({ "a": { "type": "boolean" }, "b": { "type": "string" } });
    let schema = compiled(&json!({ "type": "object", "properties": members, "required": ["b"] })).unwrap();
    assert!(schema.misfits(&json!({ "a": null, "b": "x" })).is_empty());
    assert!(!schema.misfits(&json!({ "b": null })).is_empty(), "it is required");
    assert!(!schema.misfits(&json!({ "a": null, "b": 1 })).is_empty(), "the other is wrong all the same");
    assert!(!schema.violations(&json!({ "a": null, "b": "x" })).is_empty(), "results say what they say");
}
