//! The schema of a SQLite database.

use serde_json::{Value, json};

use crate::database::sqlite::Sqlite;
use crate::database::statement::Statement;
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;

const TABLES: &str = "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') \
    AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
const TABLE: &str = "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view') \
    AND name = ?1 COLLATE NOCASE";
const COLUMNS: &str = "SELECT name, type, NOT \"notnull\" AS nullable, dflt_value AS \"default\", \
    pk AS primary_key, hidden IN (2, 3) AS generated FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
const FOREIGN_KEYS: &str = "SELECT \"from\" AS \"column\", \"table\" AS references_table, \"to\" AS references_column, \
    on_update, on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
const INDEXES: &str = "SELECT l.name AS name, l.\"unique\" AS \"unique\", group_concat(i.name, ', ') AS columns \
    FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i GROUP BY l.seq ORDER BY l.seq";

/// Names and kinds of the tables and views, and whether there are more.
pub(crate) fn tables(sqlite: &Sqlite, cancel: &Cancel) -> Result<(Vec<(String, String)>, bool), Failure> {
    let found = read(sqlite, TABLES, None, cancel)?;
    let text = |row: &Value, column: usize| row[column].as_str().unwrap_or_default().to_owned();
    let rows = found["rows"].as_array().into_iter().flatten();
    let tables = rows.map(|row| (text(row, 0), text(row, 1))).collect();
    Ok((tables, found["truncated"] == true))
}

/// The schema of one table; `None` when there is none of this name.
pub(crate) fn describe(sqlite: &Sqlite, table: &str, cancel: &Cancel) -> Result<Option<Value>, Failure> {
    let found = read(sqlite, TABLE, Some(table), cancel)?;
    let [name, kind, sql] = &found["rows"][0].as_array().map_or(&[][..], Vec::as_slice) else { return Ok(None) };
    let part = |sql: &str| Ok::<_, Failure>(objects(&read(sqlite, sql, Some(table), cancel)?));
    Ok(Some(json!({
        "table": name,
        "kind": kind,
        "columns": part(COLUMNS)?,
        "foreign_keys": part(FOREIGN_KEYS)?,
        "indexes": part(INDEXES)?,
        "sql": sql,
    })))
}

fn read(sqlite: &Sqlite, sql: &str, table: Option<&str>, cancel: &Cancel) -> Result<Value, Failure> {
    Ok(sqlite.run(&Statement::of_schema(sql, table), cancel)?.into_json())
}

/// Each row as an object under the names of its columns.
fn objects(result: &Value) -> Vec<Value> {
    let columns: Vec<&str> =
        result["columns"].as_array().into_iter().flatten().filter_map(|column| column["name"].as_str()).collect();
    let object = |row: &Value| {
        let cells = row.as_array().into_iter().flatten();
        // SQLite has no truth values: these come as numbers.
        let told = |(name, cell): (&&str, &Value)| match *name {
            name @ ("nullable" | "primary_key" | "generated" | "unique") => (name.to_owned(), json!(*cell != 0)),
            name => (name.to_owned(), cell.clone()),
        };
        columns.iter().zip(cells).map(told).collect::<Value>()
    };
    result["rows"].as_array().into_iter().flatten().map(object).collect()
}
