//! One statement of a client, checked in its size.

use serde_json::Value;

use crate::database::rows::{Access, Limits};
use crate::mcp::failure::Failure;

/// Bytes of one statement.
const SQL_BYTES_MAX: usize = 1024 * 1024;
/// Tables, columns or indexes of one answer about the schema.
const SCHEMA_ROWS_MAX: usize = 5_000;
/// Parameters of one statement.
const PARAMETERS_MAX: usize = 1_000;

/// One statement with its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
    pub(crate) access: Access,
    /// Rows of the answer, where the operator's limit is not meant.
    rows_max: Option<usize>,
}

impl Statement {
    /// One of this server's own statements about the schema.
    pub(crate) fn of_schema(sql: &str, table: Option<&str>) -> Self {
        let parameters = table.map(Value::from).into_iter().collect();
        Self { sql: sql.to_owned(), parameters, access: Access::Read, rows_max: Some(SCHEMA_ROWS_MAX) }
    }

    /// The limits of this statement.
    pub(crate) fn limits(&self, limits: Limits) -> Limits {
        Limits { rows_max: self.rows_max.unwrap_or(limits.rows_max), ..limits }
    }

    pub(crate) fn new(sql: String, parameters: Vec<Value>, access: Access) -> Result<Self, Failure> {
        if sql.trim().is_empty() || sql.len() > SQL_BYTES_MAX {
            return Err(Failure::new(format!("'query' must have 1 to {SQL_BYTES_MAX} bytes")));
        }
        if sql.contains('\0') {
            return Err(Failure::new("'query' contains a NUL character"));
        }
        if parameters.len() > PARAMETERS_MAX {
            return Err(Failure::new(format!("'params' may hold at most {PARAMETERS_MAX} values")));
        }
        Ok(Self { sql, parameters, access, rows_max: None })
    }
}
