//! PostgreSQL values between their text and JSON, without loss.

use serde_json::{Value, json};

use crate::database::rows::{blob, blob_parameter};
use crate::mcp::failure::Failure;

/// Digits that a double-precision number holds whatever they are.
const EXACT_DIGITS: usize = 15;
/// Array dimensions (PostgreSQL itself stops at six).
const DIMENSIONS_MAX: usize = 6;

/// A value by the name of its type; what is not known here stays the text that PostgreSQL writes.
pub(crate) fn json_of(kind: &str, text: &str) -> Value {
    if let Some(element) = kind.strip_suffix("[]") {
        return array_of(element, text).unwrap_or_else(|| json!(text));
    }
    let parsed = match kind {
        "INT2" | "INT4" | "INT8" | "OID" => text.parse::<i64>().ok().map(Value::from),
        // NaN and the infinities are no JSON numbers and stay texts.
        "FLOAT4" | "FLOAT8" => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
        "BOOL" => Some(json!(text == "t")),
        "JSON" | "JSONB" => exact_json(text),
        "BYTEA" => text.strip_prefix("\\x").and_then(unhex).map(|bytes| blob(&bytes)),
        "TIMESTAMP" | "TIMESTAMPTZ" => Some(json!(iso_8601(text))),
        _ => None,
    };
    parsed.unwrap_or_else(|| json!(text))
}

/// `2026-07-28 10:00:00.5+02` as `2026-07-28T10:00:00.5+02:00`; infinity and years before Christ stay as they are.
fn iso_8601(text: &str) -> String {
    let Some((date, time)) = text.split_once(' ').filter(|(_, time)| !time.contains(' ')) else {
        return text.to_owned();
    };
    let hours_only = time.len() > 3 && matches!(time.as_bytes()[time.len() - 3], b'+' | b'-');
    format!("{date}T{time}{}", if hours_only { ":00" } else { "" })
}

/// JSON whose numbers survive being read; otherwise its text is kept.
fn exact_json(text: &str) -> Option<Value> {
    let mut in_string = false;
    let mut rest = text.char_indices().peekable();
    while let Some((start, character)) = rest.next() {
        match character {
            '\\' if in_string => drop(rest.next()),
            '"' => in_string = !in_string,
            '-' | '0'..='9' if !in_string => {
                let mut end = start + 1;
                while let Some((at, _)) =
                    rest.next_if(|(_, next)| matches!(next, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'))
                {
                    end = at + 1;
                }
                let token = &text[start..end];
                let is_integer = token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok();
                if !is_integer && token.bytes().filter(u8::is_ascii_digit).count() > EXACT_DIGITS {
                    return None;
                }
            }
            _ => {}
        }
    }
    serde_json::from_str(text).ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() % 2 == 1 {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

/// `{1,2,NULL,"a,b",{…}}`; `None` where it is no array of this form (one with explicit bounds, say).
fn array_of(element: &str, text: &str) -> Option<Value> {
    let mut rest = text;
    let array = array_from(element, &mut rest, 1)?;
    rest.is_empty().then_some(array)
}

fn array_from(element: &str, rest: &mut &str, dimension: usize) -> Option<Value> {
    *rest = rest.strip_prefix('{')?;
    let mut items = Vec::new();
    if let Some(after) = rest.strip_prefix('}') {
        *rest = after;
        return Some(Value::Array(items));
    }
    loop {
        items.push(match rest.chars().next()? {
            '{' if dimension < DIMENSIONS_MAX => array_from(element, rest, dimension + 1)?,
            '"' => json_of(element, &quoted(rest)?),
            _ => {
                let end = rest.find([',', '}'])?;
                let (word, after) = rest.split_at(end);
                *rest = after;
                if word == "NULL" { Value::Null } else { json_of(element, word) }
            }
        });
        if let Some(after) = rest.strip_prefix(',') {
            *rest = after;
        } else {
            *rest = rest.strip_prefix('}')?;
            return Some(Value::Array(items));
        }
    }
}

fn quoted(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = rest[1..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                *rest = &rest[at + 2..];
                return Some(text);
            }
            '\\' => text.push(characters.next()?.1),
            plain => text.push(plain),
        }
    }
    None
}

/// A parameter as a literal of SQL; its type is the one that the statement gives it.
pub(crate) fn literal(parameter: &Value, kind: &str) -> Result<String, Failure> {
    Ok(match parameter {
        Value::Null => "NULL".to_owned(),
        Value::Bool(truth) => string_literal(&truth.to_string())?,
        Value::Number(number) => string_literal(&number.to_string())?,
        Value::String(text) => string_literal(text)?,
        Value::Array(items) if kind.ends_with("[]") => string_literal(&array_literal(items)?)?,
        structured => match blob_parameter(structured) {
            Some(bytes) => {
                let hex: String = bytes?.iter().map(|byte| format!("{byte:02x}")).collect();
                string_literal(&format!("\\x{hex}"))?
            }
            None => string_literal(&structured.to_string())?,
        },
    })
}

/// A string that means the same whatever the session's settings are: with E, backslashes are always escapes.
pub(crate) fn string_literal(text: &str) -> Result<String, Failure> {
    if text.contains('\0') {
        return Err(Failure::new("a parameter contains a NUL character, which PostgreSQL cannot hold"));
    }
    Ok(format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")))
}

fn array_literal(items: &[Value]) -> Result<String, Failure> {
    let item = |item: &Value| {
        Ok(match item {
            Value::Null => "NULL".to_owned(),
            Value::Array(inner) => array_literal(inner)?,
            Value::String(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            Value::Object(_) => format!("\"{}\"", item.to_string().replace('\\', "\\\\").replace('"', "\\\"")),
            plain => plain.to_string(),
        })
    };
    Ok(format!("{{{}}}", items.iter().map(item).collect::<Result<Vec<_>, Failure>>()?.join(",")))
}

/// The types in PostgreSQL's own list of them, `{integer,text[]}`.
pub(crate) fn type_names(text: &str) -> Vec<String> {
    let array = array_of("TEXT", text);
    let names = array.as_ref().and_then(Value::as_array).into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_come_out_without_loss() {
        let cases = [
            ("INT8", "9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
            ("FLOAT8", "0.1", json!(0.1)),
            ("FLOAT8", "NaN", json!("NaN")),
            ("NUMERIC", "12345678901234567890.123456789", json!("12345678901234567890.123456789")),
            ("BOOL", "f", json!(false)),
            ("BYTEA", "\\x00ff", json!({"base64": "AP8="})),
            ("TIMESTAMPTZ", "2026-07-28 10:00:00.25+00", json!("2026-07-28T10:00:00.25+00:00")),
            ("TIMESTAMPTZ", "2026-07-28 10:00:00+05:30", json!("2026-07-28T10:00:00+05:30")),
            ("TIMESTAMP", "2026-07-28 10:00:00", json!("2026-07-28T10:00:00")),
            ("TIMESTAMP", "infinity", json!("infinity")),
            ("TIMESTAMP", "0044-03-15 00:00:00 BC", json!("0044-03-15 00:00:00 BC")),
            ("JSONB", r#"{"a": [1, 2.5, "9999999999999999999999"]}"#, json!({"a": [1, 2.5, "9999999999999999999999"]})),
            ("JSONB", r#"{"a": 1.00000000000000000001}"#, json!(r#"{"a": 1.00000000000000000001}"#)),
            ("INT4[]", "{1,NULL,3}", json!([1, null, 3])),
            ("INT4[]", "{{1,2},{3,4}}", json!([[1, 2], [3, 4]])),
            ("TEXT[]", r#"{plain,"a,b","q\"\\","NULL",""}"#, json!(["plain", "a,b", "q\"\\", "NULL", ""])),
            ("TEXT[]", "{}", json!([])),
            ("INT4[]", "[0:1]={1,2}", json!("[0:1]={1,2}")),
            ("inet", "10.0.0.1", json!("10.0.0.1")),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(json_of(kind, text), expected, "{kind} {text}");
        }
    }

    #[test]
    fn parameters_cannot_end_their_literal() {
        let cases = [
            (json!("it's"), "text", "E'it\\'s'"),
            (json!("\\' OR 1=1 --"), "text", "E'\\\\\\' OR 1=1 --'"),
            (json!(5), "integer", "E'5'"),
            (json!(null), "integer", "NULL"),
            (json!({"base64": "AP8="}), "bytea", "E'\\\\x00ff'"),
            (json!(["a\"b", null, 1]), "text[]", "E'{\"a\\\\\"b\",NULL,1}'"),
            (json!([1]), "jsonb", "E'[1]'"),
        ];
        for (parameter, kind, expected) in cases {
            assert_eq!(literal(&parameter, kind).unwrap(), expected);
        }
        assert!(literal(&json!("a\0"), "text").is_err());
        assert_eq!(type_names("{integer,\"character varying\",text[]}"), ["integer", "character varying", "text[]"]);
    }
}
