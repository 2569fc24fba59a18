//! The rows of an answer, bounded in number and size.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::mcp::failure::Failure;

/// Bytes of the rows of one answer, as JSON.
pub(crate) const RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What one statement may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) rows_max: usize,
    pub(crate) timeout: Duration,
}

/// What a statement may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    CreateTable,
}

/// What a statement gave.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Name and declared type of each column.
    pub(crate) columns: Vec<(String, Option<String>)>,
    pub(crate) rows: Vec<Vec<Value>>,
    /// Rows changed, for statements that write.
    pub(crate) affected: Option<u64>,
    truncated: Option<String>,
    bytes: usize,
}

impl Rows {
    /// Takes a row; `false` when the answer is full and this row is not in it.
    pub(crate) fn push(&mut self, row: Vec<Value>, limits: &Limits) -> bool {
        if self.truncated.is_some() {
            return false;
        }
        let bytes: usize = row.iter().map(size_of_json).sum();
        if self.rows.len() == limits.rows_max {
            self.truncated = Some(format!("there are more than {} rows", limits.rows_max));
            return false;
        }
        if self.bytes + bytes > RESULT_BYTES_MAX {
            let advice = "select fewer or shorter columns";
            self.truncated = Some(format!("the rows have more than {RESULT_BYTES_MAX} bytes; {advice}"));
            return false;
        }
        self.bytes += bytes;
        self.rows.push(row);
        true
    }

    pub(crate) fn into_json(self) -> Value {
        let column = |(name, kind): (String, Option<String>)| json!({ "name": name, "type": kind });
        let columns: Vec<Value> = self.columns.into_iter().map(column).collect();
        let mut result = json!({
            "columns": columns,
            "row_count": self.rows.len(),
            "rows": self.rows,
            "truncated": self.truncated.is_some(),
        });
        if let Some(affected) = self.affected {
            result["affected_rows"] = json!(affected);
        }
        if let Some(reason) = self.truncated {
            result["note"] = json!(reason);
        }
        result
    }
}

/// The length as JSON, but for escapes; cheap, because it is asked for every value.
fn size_of_json(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(size_of_json).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(name, value)| name.len() + 4 + size_of_json(value)).sum::<usize>()
        }
        _ => 8,
    }
}

/// Bytes as they are shown, so that they cannot be taken for a text.
pub(crate) fn blob(bytes: &[u8]) -> Value {
    json!({ "base64": STANDARD.encode(bytes) })
}

/// Bytes as a parameter, in the form in which they are shown; `None` where the value is something else.
pub(crate) fn blob_parameter(value: &Value) -> Option<Result<Vec<u8>, Failure>> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let text = members.get("base64")?.as_str()?;
    Some(STANDARD.decode(text).map_err(|error| Failure::because("a parameter's 'base64' is not base64", error)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIMITS: Limits = Limits { rows_max: 3, timeout: Duration::from_secs(1) };

    #[test]
    fn rows_stop_at_their_number_and_say_so() {
        let mut rows = Rows::default();
        assert!((0..3).all(|row| rows.push(vec![json!(row)], &LIMITS)));
        assert!(!rows.push(vec![json!(3)], &LIMITS) && !rows.push(vec![json!(4)], &LIMITS));
        let result = rows.into_json();
        assert_eq!((&result["row_count"], &result["truncated"]), (&json!(3), &json!(true)));
        assert_eq!(result["note"], "there are more than 3 rows");
    }

    #[test]
    fn rows_stop_at_their_size() {
        let mut rows = Rows::default();
        assert!(rows.push(vec![json!("x".repeat(RESULT_BYTES_MAX - 100))], &LIMITS));
        assert!(!rows.push(vec![json!("x".repeat(100))], &LIMITS));
        assert!(!rows.push(vec![json!(1)], &LIMITS), "no gap in the middle");
        assert!(rows.into_json()["note"].as_str().unwrap().contains("4194304 bytes"));
    }

    #[test]
    fn blobs_go_in_as_they_come_out() {
        let shown = blob(&[0, 255, 7]);
        assert_eq!(blob_parameter(&shown).unwrap().unwrap(), [0, 255, 7]);
        assert!(blob_parameter(&json!({"base64": "???"})).unwrap().is_err());
        assert!(blob_parameter(&json!({"base64": "AA==", "more": 1})).is_none());
        assert!(blob_parameter(&json!("AA==")).is_none());
    }
}
