//! Coercion (row VAL-2): a value that is written as another type than its schema wants, rewritten where that says the same.
//! What is not coerced stays as its sender wrote it.

use jsonschema::types::JsonType;
use omni_protocol::{Splice, members};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::schema::Schema;

/// Rounds in which one coercion uncovers the next.
const ROUNDS_MAX: usize = 3;

/// The JSON text of `arguments` with the values coerced that `schema` wants to be of another type; `None` where nothing had to
/// be, or where it would not help.
#[must_use]
pub fn coerce(schema: &Schema, arguments: &str) -> Option<String> {
    let mut text = arguments.to_owned();
    let mut changed = false;
    for _ in 0..ROUNDS_MAX {
        let value: Value = serde_json::from_str(&text).ok()?;
        if schema.fits(&value) {
            return changed.then_some(text);
        }
        let mut splice = Splice::new();
        let mut seen = std::collections::HashSet::new();
        for wrong in schema.wrong_types(&value) {
            if !seen.insert(wrong.pointer.clone()) {
                continue;
            }
            let Some(raw) = locate(&text, &wrong.pointer) else { continue };
            if let Some(new) = rewritten(raw, &wrong.wanted) {
                let start = raw.as_ptr() as usize - text.as_ptr() as usize;
                splice.replace(start..start + raw.len(), new.into_bytes());
            }
        }
        if splice.is_empty() {
            return None;
        }
        text = String::from_utf8(splice.apply(text.as_bytes())).ok()?;
        changed = true;
    }
    let value: Value = serde_json::from_str(&text).ok()?;
    schema.fits(&value).then_some(text)
}

/// The JSON text of `raw` as one of the wanted types, where both say the same.
fn rewritten(raw: &str, wanted: &[JsonType]) -> Option<String> {
    let has = |kind: JsonType| wanted.contains(&kind);
    if raw.starts_with('"') {
        let text: String = serde_json::from_str(raw).ok()?;
        let is_integer = is_number(&text) && !text.contains(['.', 'e', 'E']);
        if (has(JsonType::Integer) && is_integer) || (has(JsonType::Number) && is_number(&text)) {
            return Some(text);
        }
        return (has(JsonType::Boolean) && matches!(text.as_str(), "true" | "false")).then_some(text);
    }
    let is_plain = is_number(raw) || matches!(raw, "true" | "false");
    (has(JsonType::String) && is_plain).then(|| format!("\"{raw}\""))
}

/// Whether `text` is a number as JSON writes it, and one that a double holds.
fn is_number(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(text).is_ok_and(|_| !text.contains(char::is_whitespace))
}

/// The JSON text at `pointer` of `text`.
fn locate<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    let mut at = text.trim();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        at = if at.starts_with('{') {
            members(at).ok()?.into_iter().find(|(key, _)| *key == step)?.1.get()
        } else {
            let items: Vec<&RawValue> = serde_json::from_str(at).ok()?;
            items.get(step.parse::<usize>().ok()?)?.get()
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::coerce;
    use crate::schema::{Age, Schema, SchemaBounds};

    fn schema() -> Schema {
        let text = r##"{"type":"object","properties":{
            "n":{"type":"integer","minimum":1},"x":{"type":"number"},"b":{"type":"boolean"},"s":{"type":"string"},
            "o":{"anyOf":[{"type":"integer"},{"type":"null"}]},
            "list":{"type":"array","items":{"$ref":"#/$defs/i"}}},"$defs":{"i":{"type":"integer"}}}"##;
        Schema::compile(text, Age::SaysDefault, &SchemaBounds::default()).unwrap()
    }

    /// VAL-2: only what is of the wrong type is rewritten, and everything else keeps its bytes.
    #[test]
    fn val_2_says_the_same_or_stays() {
        let schema = schema();
        let cases = [
            (r#"{ "n" : "5", "keep" : 1.50e0 }"#, Some(r#"{ "n" : 5, "keep" : 1.50e0 }"#)),
            (r#"{"x":"-1.5e3","b":"true","s":12.0}"#, Some(r#"{"x":-1.5e3,"b":true,"s":"12.0"}"#)),
            (r#"{"o":"7","list":[1,"2","\u0033"]}"#, Some(r#"{"o":7,"list":[1,2,3]}"#)),
            (r#"{"s":false}"#, Some(r#"{"s":"false"}"#)),
            // It fits: nothing is touched.
            (r#"{"n":5,"s":"5"}"#, None),
            // None of these says the same, or it would not help.
            (r#"{"n":"5.0"}"#, None),
            (r#"{"n":" 5"}"#, None),
            (r#"{"n":"0x5"}"#, None),
            (r#"{"n":"05"}"#, None),
            (r#"{"n":"1e400"}"#, None),
            (r#"{"n":"0"}"#, None),
            (r#"{"b":"yes"}"#, None),
            (r#"{"b":1}"#, None),
            (r#"{"s":null}"#, None),
            (r#"{"s":["a"]}"#, None),
            (r#"{"x":"NaN"}"#, None),
        ];
        for (given, wanted) in cases {
            assert_eq!(coerce(&schema, given).as_deref(), wanted, "{given}");
        }
    }
}
