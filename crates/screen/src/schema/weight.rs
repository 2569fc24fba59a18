//! What one value may cost to check, with every reference within the schema followed: a few hundred bytes that refer to
//! each other twice each are worth 2^n checks.

use std::collections::HashMap;

use serde_json::Value;

use crate::schema::bounds::SchemaBounds;
use crate::schema::error::SchemaError;
use crate::schema::places::{Places, within};
use crate::schema::violation::cut;

/// The weight of `schema`.
///
/// # Errors
/// When it has too many parts, weighs too much, or refers to something outside of itself.
pub(super) fn weigh(schema: &Value, bounds: &SchemaBounds) -> Result<Weight, SchemaError> {
    let places = Places::of(schema)?;
    let mut scale = Scale { places, known: HashMap::new(), parts: 0, recursive: false, bounds };
    scale.count(schema)?;
    let weight = scale.of(schema, 0)?;
    if weight > bounds.weight_max {
        let why = format!("one value could cost more than {} checks", bounds.weight_max);
        return Err(SchemaError::Bounds(why));
    }
    Ok(Weight { checks: weight, recursive: scale.recursive })
}

/// What a schema may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    /// Checks of one value, circles counted once.
    pub(super) checks: u64,
    /// Whether it refers to itself.
    pub(super) recursive: bool,
}

/// References that lead to references: more in a row than this are no schema that anybody wrote.
const CHAIN_MAX: usize = 256;

struct Scale<'a> {
    places: Places<'a>,
    /// By the place of the node in memory: the tree does not move while it is weighed. `None` is being weighed: a circle,
    /// which consumes a level of the value or is broken by the validator.
    known: HashMap<*const Value, Option<u64>>,
    parts: usize,
    recursive: bool,
    bounds: &'a SchemaBounds,
}

impl Scale<'_> {
    fn count(&mut self, node: &Value) -> Result<(), SchemaError> {
        self.parts += 1;
        if self.parts > self.bounds.parts_max {
            return Err(SchemaError::Bounds(format!("more than {} parts", self.bounds.parts_max)));
        }
        match node {
            Value::Object(members) => {
                if let Some(Value::String(to)) = members.get("$ref")
                    && is_remote(to)
                {
                    return Err(SchemaError::Remote(format!("$ref to {}", cut(to))));
                }
                within(members).try_for_each(|(_, value)| self.count(value))
            }
            Value::Array(items) => items.iter().try_for_each(|value| self.count(value)),
            _ => Ok(()),
        }
    }

    fn of(&mut self, node: &Value, chain: usize) -> Result<u64, SchemaError> {
        if chain > CHAIN_MAX {
            return Err(SchemaError::Bounds(format!("more than {CHAIN_MAX} references and levels in a row")));
        }
        let key: *const Value = node;
        if let Some(known) = self.known.get(&key) {
            self.recursive |= known.is_none();
            return Ok(known.unwrap_or(1));
        }
        self.known.insert(key, None);
        let mut weight: u64 = 1;
        match node {
            Value::Object(members) => {
                for (name, value) in within(members) {
                    match (name, value) {
                        // Definitions cost where they are referred to.
                        ("$defs" | "definitions", _) => {}
                        ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(to)) => {
                            weight = weight.saturating_add(self.referred(to, chain + 1)?);
                        }
                        _ => weight = weight.saturating_add(self.of(value, chain + 1)?),
                    }
                }
            }
            Value::Array(items) => {
                for value in items {
                    weight = weight.saturating_add(self.of(value, chain + 1)?);
                }
            }
            _ => {}
        }
        self.known.insert(key, Some(weight));
        Ok(weight)
    }

    /// The heaviest part that `to` may mean.
    fn referred(&mut self, to: &str, chain: usize) -> Result<u64, SchemaError> {
        let mut heaviest = None;
        for target in self.places.named(to) {
            heaviest = heaviest.max(Some(self.of(target, chain)?));
        }
        // What cannot be weighed is not compiled: the validator might find what was not found here.
        heaviest.ok_or_else(|| SchemaError::Remote(format!("a reference to {}, which is no part of it", cut(to))))
    }
}

/// Whether a reference names another document by scheme or host. What it names may still be a part of the schema with an
/// `$id` of its own; those are rare enough to be refused with the rest.
fn is_remote(reference: &str) -> bool {
    let before = reference.split('#').next().unwrap_or_default();
    let known = ["http://json-schema.org/", "https://json-schema.org/"];
    (before.contains("://") || before.starts_with("//") || before.starts_with("file:"))
        && !known.iter().any(|own| before.starts_with(own))
}
