//! Bounds within which a schema is compiled at all: a server writes it, so it is a stranger's program.

use omni_protocol::{Bounds, scan};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::schema::error::SchemaError;

/// Bounds on one schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaBounds {
    /// Bytes of its JSON text.
    pub bytes_max: usize,
    /// Levels of nesting.
    pub depth_max: usize,
    /// Values of any kind in it, those of `enum`, `const`, `default` and `examples` aside.
    pub parts_max: usize,
    /// Checks that one value may cost, with every reference followed: what a schema of a few hundred bytes can blow up to.
    pub weight_max: u64,
}

impl Default for SchemaBounds {
    fn default() -> Self {
        Self { bytes_max: 256 * 1024, depth_max: 64, parts_max: 20_000, weight_max: 200_000 }
    }
}

impl SchemaBounds {
    /// Reads a schema's JSON text.
    pub(super) fn read(&self, text: &str) -> Result<Value, SchemaError> {
        if text.len() > self.bytes_max {
            let why = format!("{} bytes, at most {} are compiled", text.len(), self.bytes_max);
            return Err(SchemaError::Bounds(why));
        }
        let bounds = Bounds { depth_max: self.depth_max, string_bytes_max: self.bytes_max, elements_max: 65_536 };
        let invalid = |error: serde_json::Error| SchemaError::Invalid(error.to_string());
        // Only JSON can be scanned, and only what has been scanned is nested no deeper than it may be.
        let _json: &RawValue = serde_json::from_str(text).map_err(invalid)?;
        // What stands twice means one thing to the server and perhaps another to the hub.
        scan(text, &bounds).map_err(|error| SchemaError::Bounds(error.to_string()))?;
        let schema: Value = serde_json::from_str(text).map_err(invalid)?;
        if !schema.is_object() {
            return Err(SchemaError::Invalid("a schema is an object".to_owned()));
        }
        Ok(schema)
    }
}
