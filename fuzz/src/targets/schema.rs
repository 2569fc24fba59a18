//! Schemas that servers write, and values held against them: nothing panics, nothing hangs, and what fits has no complaint.
//!
//! The input is the JSON text of a schema, a line feed, and the JSON text of a value.

use omni_screen::{Age, Schema, SchemaBounds, coerce};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (schema, value) = text.split_once('\n').unwrap_or((text, "{}"));
    let bounds = SchemaBounds { bytes_max: 16 * 1024, weight_max: 20_000, ..SchemaBounds::default() };
    for age in [Age::SaysDefault, Age::SaysNothing] {
        let Ok(schema) = Schema::compile(schema, age, &bounds) else { continue };
        let Ok(read) = serde_json::from_str(value) else { continue };
        assert_eq!(schema.fits(&read), schema.violations(&read).is_empty());
        if let Some(coerced) = coerce(&schema, value) {
            let read = serde_json::from_str(&coerced).expect("what is coerced is JSON");
            assert!(schema.fits(&read), "{coerced}");
        }
    }
}
