//! SQLite: each statement on a connection of its own, within bounds of time, size and rights.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use anyhow::Context;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};
use serde_json::{Value, json};

use crate::database::rows::{Access, Limits, Rows, blob, blob_parameter};
use crate::database::sqlite_policy::authorizer;
use crate::database::statement::Statement;
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;

/// Bytes of one value, and of one row while it is stored.
const VALUE_BYTES_MAX: i32 = 16 * 1024 * 1024;
/// Memory of all of SQLite in this process, temporary tables included: they are kept in memory for that.
const HEAP_BYTES_MAX: i64 = 512 * 1024 * 1024;
/// How long a statement waits for another process's write.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Instructions of SQLite's machine between two looks at the clock.
const INSTRUCTIONS_PER_LOOK: i32 = 1_000;

/// One database file.
pub(crate) struct Sqlite {
    path: PathBuf,
    limits: Limits,
}

impl Sqlite {
    /// Checks that the file is a database; with `write` a missing one is made.
    pub(crate) fn open(path: &str, write: bool, limits: Limits) -> anyhow::Result<Self> {
        let context = || format!("--url: cannot open the SQLite database {path}");
        // An absolute path is never read as a URI, whose parameters could change the way the file is opened.
        let sqlite = Self { path: std::path::absolute(path).with_context(context)?, limits };
        let mut flags = flags(write);
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, write);
        let connection = Connection::open_with_flags(&sqlite.path, flags).with_context(context)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).with_context(context)?;
        Ok(sqlite)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs one statement.
    pub(crate) fn run(&self, statement: &Statement, cancel: &Cancel) -> Result<Rows, Failure> {
        let limits = statement.limits(self.limits);
        let connection = self.connect(statement.access, cancel)?;
        let (callback, seen) = authorizer(statement.access);
        connection.authorizer(Some(callback)).map_err(|error| Failure::because("cannot guard the database", error))?;
        let refused = |error: rusqlite::Error| {
            let refusal = seen.lock().unwrap_or_else(PoisonError::into_inner).refusal.take();
            refusal.map_or_else(|| self.failure(&error), Failure::new)
        };
        let mut prepared = connection.prepare(&statement.sql).map_err(&refused)?;
        let creates_table = seen.lock().unwrap_or_else(PoisonError::into_inner).creates_table;
        match statement.access {
            Access::Write if prepared.readonly() => {
                return Err(Failure::new("this statement changes nothing; use read_query"));
            }
            Access::CreateTable if !creates_table => return Err(Failure::new("this tool runs only CREATE TABLE")),
            _ => {}
        }
        let expected = prepared.parameter_count();
        if expected != statement.parameters.len() {
            let given = statement.parameters.len();
            return Err(Failure::new(format!(
                "the statement has {expected} parameters and 'params' has {given} values"
            )));
        }
        let parameters: Vec<Cell> = statement.parameters.iter().map(cell_of).collect::<Result<_, _>>()?;
        let columns = prepared.columns();
        let named = |column: &rusqlite::Column<'_>| (column.name().to_owned(), column.decl_type().map(str::to_owned));
        let mut result = Rows::default();
        result.columns = columns.iter().map(named).collect();
        let width = result.columns.len();
        let mut rows = prepared.query(params_from_iter(parameters)).map_err(&refused)?;
        while let Some(row) = rows.next().map_err(&refused)? {
            let cells = (0..width).map(|column| row.get_ref(column).map(json_of));
            let full = !result.push(cells.collect::<Result<_, _>>().map_err(&refused)?, &limits);
            // A statement that writes is run to its end; otherwise it would be undone.
            if full && statement.access == Access::Read {
                break;
            }
        }
        drop(rows);
        if statement.access != Access::Read {
            result.affected = Some(connection.changes());
        }
        Ok(result)
    }

    fn connect(&self, access: Access, cancel: &Cancel) -> Result<Connection, Failure> {
        let write = access != Access::Read;
        let connect = || -> rusqlite::Result<Connection> {
            let connection = Connection::open_with_flags(&self.path, flags(write))?;
            connection.busy_timeout(BUSY_WAIT.min(self.limits.timeout))?;
            connection.pragma_update(None, "query_only", !write)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "temp_store", "MEMORY")?;
            connection.pragma_update_and_check(None, "hard_heap_limit", HEAP_BYTES_MAX, |_| Ok(()))?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
            connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
            connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
            let (cancel, deadline) = (cancel.clone(), Instant::now() + self.limits.timeout);
            let stop = move || cancel.is_raised() || Instant::now() > deadline;
            connection.progress_handler(INSTRUCTIONS_PER_LOOK, Some(stop))?;
            Ok(connection)
        };
        connect().map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &rusqlite::Error) -> Failure {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                let seconds = self.limits.timeout.as_secs();
                Failure::new(format!("the statement took longer than {seconds} s and was stopped"))
            }
            Some(ErrorCode::OutOfMemory) => {
                Failure::new("the statement needs too much memory; narrow it down or use LIMIT")
            }
            _ if matches!(error, rusqlite::Error::MultipleStatement) => {
                Failure::new("give one statement a call, not several")
            }
            _ => Failure::because("SQLite", error),
        }
    }
}

fn flags(write: bool) -> OpenFlags {
    let access = if write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn json_of(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        // JSON has no infinities.
        ValueRef::Real(number) if number.is_finite() => json!(number),
        ValueRef::Real(number) => json!(if number > 0.0 { "Infinity" } else { "-Infinity" }),
        ValueRef::Text(text) => std::str::from_utf8(text).map_or_else(|_| blob(text), |text| json!(text)),
        ValueRef::Blob(bytes) => blob(bytes),
    }
}

fn cell_of(parameter: &Value) -> Result<Cell, Failure> {
    Ok(match parameter {
        Value::Null => Cell::Null,
        Value::Bool(truth) => Cell::Integer(i64::from(*truth)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cell::Integer(integer),
            (None, Some(real)) if number.is_f64() => Cell::Real(real),
            _ => {
                return Err(Failure::new(format!("the parameter {number} is too large an integer; give it as a text")));
            }
        },
        Value::String(text) => Cell::Text(text.clone()),
        structured => match blob_parameter(structured) {
            Some(bytes) => Cell::Blob(bytes?),
            None => Cell::Text(structured.to_string()),
        },
    })
}
