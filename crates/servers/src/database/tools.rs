//! The tools of the Database server.

use std::sync::Arc;

use futures_util::future::FutureExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::database::engine::Engine;
use crate::database::rows::Access;
use crate::database::statement::Statement;
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

pub(crate) fn tools(engine: &Arc<Engine>, write: bool) -> Vec<Tool> {
    let placeholder = match **engine {
        Engine::Sqlite(_) => "?1",
        Engine::Postgres(_) => "$1",
    };
    let read = Signature::new(
        "read_query",
        Hints::READS,
        format!(
            "Runs one SELECT (or WITH, VALUES, EXPLAIN where the database has it so). Values belong into 'params' with \
             {placeholder} and so on in the text. Cannot change anything. Binary values are {{\"base64\": …}}."
        ),
    );
    let list = Signature::new("list_tables", Hints::READS, "Lists the tables and views.").returns(tables_schema());
    let describe = Signature::new(
        "describe_table",
        Hints::READS,
        "Shows the columns, keys and indexes of a table or view, by its name as list_tables gives it.",
    );
    let mut tools = vec![
        read.returns(rows_schema()).asynchronous(engine, |engine, arguments: Query, cancel| {
            query(engine, arguments, Access::Read, cancel).boxed()
        }),
        list.asynchronous(engine, |engine, _: Nothing, cancel| list_tables(engine, cancel).boxed()),
        describe
            .asynchronous(engine, |engine, arguments: Table, cancel| describe_table(engine, arguments, cancel).boxed()),
    ];
    if write {
        let write = Signature::new(
            "write_query",
            Hints::CHANGES,
            format!(
                "Runs one statement that changes rows (INSERT, UPDATE, DELETE) and tells how many. Values belong into \
                 'params' with {placeholder} and so on in the text. RETURNING gives rows."
            ),
        );
        let create = Signature::new("create_table", Hints::ADDS, "Runs one CREATE TABLE statement.");
        tools.push(write.returns(rows_schema()).asynchronous(engine, |engine, arguments: Query, cancel| {
            query(engine, arguments, Access::Write, cancel).boxed()
        }));
        tools.push(
            create.asynchronous(engine, |engine, arguments: Create, cancel| {
                create_table(engine, arguments, cancel).boxed()
            }),
        );
    }
    tools
}

fn rows_schema() -> Value {
    let column = json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "type": { "type": ["string", "null"] } },
        "required": ["name", "type"],
    });
    json!({
        "type": "object",
        "properties": {
            "columns": { "type": "array", "items": column },
            "rows": { "type": "array", "items": { "type": "array" } },
            "row_count": { "type": "integer" },
            "truncated": { "type": "boolean" },
            "affected_rows": { "type": "integer" },
            "note": { "type": "string" },
        },
        "required": ["columns", "rows", "row_count", "truncated"],
    })
}

fn tables_schema() -> Value {
    let text = json!({ "type": "string" });
    let table = json!({ "type": "object", "properties": { "name": text, "kind": text }, "required": ["name", "kind"] });
    json!({
        "type": "object",
        "properties": { "tables": { "type": "array", "items": table }, "truncated": { "type": "boolean" } },
        "required": ["tables", "truncated"],
    })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Query {
    /// One SQL statement.
    query: String,
    /// Values of the statement's parameters, in their order.
    #[serde(default)]
    params: Vec<Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    /// One CREATE TABLE statement.
    query: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Name of the table or view.
    table_name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn query(engine: Arc<Engine>, arguments: Query, access: Access, cancel: Cancel) -> Answer {
    let statement = Statement::new(arguments.query, arguments.params, access)?;
    Ok(Outcome::data(engine.run(statement, cancel).await?.into_json()))
}

async fn create_table(engine: Arc<Engine>, arguments: Create, cancel: Cancel) -> Answer {
    engine.run(Statement::new(arguments.query, Vec::new(), Access::CreateTable)?, cancel).await?;
    Ok(Outcome::text("Table created"))
}

async fn list_tables(engine: Arc<Engine>, cancel: Cancel) -> Answer {
    let (tables, truncated) = engine.tables(cancel).await?;
    let tables: Vec<Value> = tables.into_iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
    Ok(Outcome::data(json!({ "tables": tables, "truncated": truncated })))
}

async fn describe_table(engine: Arc<Engine>, arguments: Table, cancel: Cancel) -> Answer {
    let name = arguments.table_name.clone();
    let described = engine.describe(arguments.table_name, cancel).await?;
    let missing = || Failure::new(format!("there is no table or view '{name}'; list_tables shows what there is"));
    described.map(|schema| Outcome::text(schema.to_string())).ok_or_else(missing)
}
