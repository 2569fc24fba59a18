//! A schema compiled once, and what it says of a value.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::schema::bounds::SchemaBounds;
use crate::schema::dialect::{Age, Dialect};
use crate::schema::error::SchemaError;
use crate::schema::names::Names;
use crate::schema::violation::{self, Violation};
use crate::schema::weight;

/// Complaints that are told about one value; a client that mends these asks again.
const VIOLATIONS_MAX: usize = 8;
/// From this weight on, complaints are not collected in detail: to say which of very many branches failed, and why, can cost
/// far more than to say that one did.
const DETAILED_WEIGHT_MAX: u64 = 4_096;
/// Bytes of one compiled pattern, and of the cache of its states.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    detailed: bool,
    unchecked: Vec<String>,
    names: Names,
}

impl Schema {
    /// Compiles the JSON text of a schema, as a server of `age` means it. Nothing is ever fetched, and patterns run in linear
    /// time: one that cannot (a look-around, a back-reference) makes the schema unusable.
    ///
    /// # Errors
    /// When it is out of bounds, not valid, of an unknown dialect, or not complete in itself.
    pub fn compile(text: &str, age: Age, bounds: &SchemaBounds) -> Result<Self, SchemaError> {
        let schema = bounds.read(text)?;
        let weight = weight::weigh(&schema, bounds)?;
        // A schema that refers to itself can have a complaint for each of 2^depth branches.
        let detailed = weight.checks <= DETAILED_WEIGHT_MAX && !weight.recursive;
        let mut last = None;
        for dialect in Dialect::of(&schema, age)? {
            match build_without_slow(&schema, *dialect) {
                Ok((validator, unchecked)) => {
                    return Ok(Self { validator, detailed, unchecked, names: Names::of(&schema) });
                }
                Err(error) => last = last.or(Some(error)),
            }
        }
        Err(last.unwrap_or_else(|| SchemaError::Invalid("no dialect fits".to_owned())))
    }

    /// Its patterns that are left to the server, because they do not run in linear time.
    #[must_use]
    pub fn unchecked(&self) -> &[String] {
        &self.unchecked
    }

    /// Whether `value` fits.
    #[must_use]
    pub fn fits(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// What is wrong with `value`, the first few complaints; empty when it fits.
    #[must_use]
    pub fn violations(&self, value: &Value) -> Vec<Violation> {
        if self.validator.is_valid(value) {
            return Vec::new();
        }
        let mut found = Vec::new();
        if self.detailed {
            for error in self.validator.iter_errors(value).take(VIOLATIONS_MAX) {
                found.push(Violation::of(&error));
            }
        }
        if found.is_empty() {
            found.push(Violation::whole("does not fit the tool's schema"));
        }
        found
    }

    /// The same for the arguments of a call. A member that is null counts as left out: so clients write what they do not
    /// give, and it reaches the server as it was written. What is required has to be there all the same.
    #[must_use]
    pub fn misfits(&self, arguments: &Value) -> Vec<Violation> {
        let found = self.violations(arguments);
        let Some(members) = arguments.as_object().filter(|all| !found.is_empty() && all.values().any(Value::is_null))
        else {
            return found;
        };
        let given = members.iter().filter(|(_, value)| !value.is_null());
        let given = Value::Object(given.map(|(name, value)| (name.clone(), value.clone())).collect());
        if self.validator.is_valid(&given) { Vec::new() } else { found }
    }

    /// Members that could be taken for others that the schema lists: they differ by the case of their letters alone.
    #[must_use]
    pub fn case_variants(&self, arguments: &Value) -> Vec<Violation> {
        self.names.variants(arguments)
    }

    /// What would make `value` fit, if it were written as another type: see [`crate::coerce`].
    pub(crate) fn wrong_types(&self, value: &Value) -> Vec<violation::WrongType> {
        if !self.detailed {
            return Vec::new();
        }
        self.validator
            .iter_errors(value)
            .take(VIOLATIONS_MAX * 8)
            .flat_map(|error| violation::wrong_types(&error))
            .collect()
    }
}

/// Builds the schema, without those of its patterns that no linear-time engine runs: its other parts are still checked.
fn build_without_slow(schema: &Value, dialect: Dialect) -> Result<(Validator, Vec<String>), SchemaError> {
    let error = match build(schema, dialect) {
        Ok(validator) => return Ok((validator, Vec::new())),
        Err(error) => error,
    };
    let (mut rest, mut unchecked) = (schema.clone(), Vec::new());
    leave_out(&mut rest, dialect, &mut unchecked);
    if unchecked.is_empty() {
        return Err(error);
    }
    build(&rest, dialect).map(|validator| (validator, unchecked))
}

fn leave_out(node: &mut Value, dialect: Dialect, unchecked: &mut Vec<String>) {
    match node {
        Value::Object(members) => {
            let slow = |pattern: &&str| build(&serde_json::json!({ "pattern": pattern }), dialect).is_err();
            if let Some(pattern) = members.get("pattern").and_then(Value::as_str).filter(slow) {
                unchecked.push(violation::cut(pattern));
                members.shift_remove("pattern");
            }
            members.values_mut().for_each(|value| leave_out(value, dialect, unchecked));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| leave_out(value, dialect, unchecked)),
        _ => {}
    }
}

fn build(schema: &Value, dialect: Dialect) -> Result<Validator, SchemaError> {
    let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
    let options = jsonschema::options()
        .offline()
        .with_draft(dialect.draft())
        .with_pattern_options(patterns)
        // What `format` means is an annotation in 2020-12, and servers use names of their own.
        .should_validate_formats(false);
    options.build(schema).map_err(|error| {
        let why = violation::cut(&error.masked().to_string());
        let remote = matches!(error.kind(), jsonschema::error::ValidationErrorKind::Referencing(_));
        if remote { SchemaError::Remote(why) } else { SchemaError::Invalid(why) }
    })
}
