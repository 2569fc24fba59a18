//! PostgreSQL: each statement on a connection and in a transaction of its own.
//!
//! The client's text is given to PREPARE and run by EXECUTE. PREPARE takes exactly one SELECT, VALUES, INSERT, UPDATE,
//! DELETE or MERGE, so that COMMIT, SET, COPY, DO and several statements at once are refused by PostgreSQL's own
//! grammar; and the values come back in text form, which is lossless for every type, also those unknown here.

use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Either, Executor, Row, SqlSafeStr, Statement as _, TypeInfo,
    ValueRef,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::database::pg_text::{json_of, literal, type_names};
use crate::database::rows::{Access, Limits, Rows};
use crate::database::statement::Statement;
use crate::mcp::failure::Failure;

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 4;
/// How long a connection may take to open.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long after its own time limit the database may take to say so.
const GRACE: Duration = Duration::from_secs(5);
/// How long closing a connection may take.
const CLOSE_MAX: Duration = Duration::from_secs(1);

const TABLES: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN quote_ident(c.relname) \
    ELSE quote_ident(n.nspname) || '.' || quote_ident(c.relname) END, \
    CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
    AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT') ORDER BY 1";

const DESCRIBE: &str = "SELECT json_build_object('table', c.oid::regclass::text, \
    'kind', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' \
        ELSE 'table' END, \
    'comment', obj_description(c.oid, 'pg_class'), \
    'columns', (SELECT coalesce(json_agg(json_build_object('name', a.attname, \
        'type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull, \
        'default', pg_get_expr(d.adbin, d.adrelid), 'primary_key', coalesce(a.attnum = ANY (p.conkey), false), \
        'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum), '[]') \
        FROM pg_catalog.pg_attribute a \
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
        LEFT JOIN pg_catalog.pg_constraint p ON p.conrelid = a.attrelid AND p.contype = 'p' \
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), \
    'constraints', (SELECT coalesce(json_agg(json_build_object('name', k.conname, \
        'definition', pg_get_constraintdef(k.oid)) ORDER BY k.conname), '[]') \
        FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid), \
    'indexes', (SELECT coalesce(json_agg(pg_get_indexdef(i.indexrelid) ORDER BY i.indexrelid), '[]') \
        FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid)) \
    FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/// One PostgreSQL database.
pub(crate) struct Postgres {
    options: PgConnectOptions,
    limits: Limits,
    connections: Semaphore,
}

impl Postgres {
    /// Reads the URL; the database itself may come up later, and go, while the server runs.
    pub(crate) fn open(url: &str, limits: Limits) -> anyhow::Result<Self> {
        // The error of the parser may hold parts of the URL, and so of the password.
        let options = PgConnectOptions::from_str(url).ok().context("--url is not a valid postgres:// URL")?;
        let options = options.application_name("omni-database").disable_statement_logging();
        Ok(Self { options, limits, connections: Semaphore::new(CONNECTIONS_MAX) })
    }

    pub(crate) fn shown(&self) -> String {
        let database = self.options.get_database().unwrap_or(self.options.get_username());
        format!("{database} at {}:{}", self.options.get_host(), self.options.get_port())
    }

    pub(crate) async fn run(&self, statement: &Statement) -> Result<Rows, Failure> {
        let late = || Failure::new(format!("the database did not answer within {} s", self.limits.timeout.as_secs()));
        let deadline = CONNECT_MAX + self.limits.timeout + GRACE;
        timeout(deadline, self.run_in_turn(statement)).await.unwrap_or_else(|_| Err(late()))
    }

    /// Names and kinds of the tables and views that the role may read, and whether there are more.
    pub(crate) async fn tables(&self) -> Result<(Vec<(String, String)>, bool), Failure> {
        let result = self.run(&Statement::of_schema(TABLES, None)).await?.into_json();
        let text = |cell: &Value| cell.as_str().unwrap_or_default().to_owned();
        let tables =
            result["rows"].as_array().into_iter().flatten().map(|row| (text(&row[0]), text(&row[1]))).collect();
        Ok((tables, result["truncated"] == true))
    }

    /// The schema of one table; `None` when there is none of this name.
    pub(crate) async fn describe(&self, table: &str) -> Result<Option<Value>, Failure> {
        let mut rows = self.run(&Statement::of_schema(DESCRIBE, Some(table))).await?.rows;
        Ok(rows.pop().and_then(|mut row| row.pop()))
    }

    async fn run_in_turn(&self, statement: &Statement) -> Result<Rows, Failure> {
        let closing = |_| Failure::new("the server is closing");
        let _turn = self.connections.acquire().await.map_err(closing)?;
        let connecting = timeout(CONNECT_MAX, PgConnection::connect_with(&self.options)).await;
        let cannot =
            |reason: String| Failure::new(format!("cannot connect to the database {}: {reason}", self.shown()));
        let mut connection = match connecting {
            Ok(connected) => connected.map_err(|error| cannot(error.to_string()))?,
            Err(_) => return Err(cannot(format!("no answer within {} s", CONNECT_MAX.as_secs()))),
        };
        let failed = |error: sqlx::Error| self.failure(&error, statement.access);
        let mut stop = self.begin(&mut connection, statement.access).await.map_err(failed)?;
        let result = match statement.access {
            Access::CreateTable => self.create_table(&mut connection, &statement.sql).await,
            Access::Read | Access::Write => self.prepare_and_execute(&mut connection, statement).await,
        };
        let Executed { rows, complete } = match result {
            Ok(executed) => executed,
            Err(failure) => {
                // The statement is over; the connection, with its transaction, ends here.
                stop.disarm();
                return Err(failure);
            }
        };
        if !complete {
            return Ok(rows); // dropping the connection, and `stop`, ends what is still being sent
        }
        let end = if statement.access == Access::Read { "ROLLBACK" } else { "COMMIT" };
        connection.execute(sqlx::raw_sql(end)).await.map_err(failed)?;
        stop.disarm();
        drop(timeout(CLOSE_MAX, connection.close()).await);
        Ok(rows)
    }

    /// Opens the transaction and fixes how values are written.
    async fn begin(&self, connection: &mut PgConnection, access: Access) -> Result<Stop, sqlx::Error> {
        let mode = if access == Access::Read { "READ ONLY" } else { "READ WRITE" };
        let begin = format!(
            "BEGIN {mode}; SET LOCAL statement_timeout = {}; SET LOCAL datestyle = 'ISO, YMD'; \
             SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1",
            self.limits.timeout.as_millis()
        );
        connection.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await?;
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await?;
        Ok(Stop { options: self.options.clone(), backend, armed: true })
    }

    async fn prepare_and_execute(
        &self,
        connection: &mut PgConnection,
        statement: &Statement,
    ) -> Result<Executed, Failure> {
        let failed = |error: sqlx::Error| self.failure(&error, statement.access);
        let limits = statement.limits(self.limits);
        self.prepare(&mut *connection, statement, &limits).await.map_err(failed)?;
        let execute = match statement.parameters.as_slice() {
            [] => "EXECUTE omni_statement".to_owned(),
            parameters => {
                let kinds =
                    "SELECT parameter_types::text FROM pg_catalog.pg_prepared_statements WHERE name = 'omni_statement'";
                let kinds: String = sqlx::query_scalar(kinds).fetch_one(&mut *connection).await.map_err(failed)?;
                let kinds = type_names(&kinds);
                let (expected, given) = (kinds.len(), parameters.len());
                if expected != given {
                    let text = format!("the statement has {expected} parameters and 'params' has {given} values");
                    return Err(Failure::new(text));
                }
                let literals: Result<Vec<String>, Failure> =
                    parameters.iter().zip(&kinds).map(|(parameter, kind)| literal(parameter, kind)).collect();
                format!("EXECUTE omni_statement({})", literals?.join(", "))
            }
        };
        let mut rows = Rows::default();
        let mut complete = true;
        {
            let mut stream = pin!(sqlx::raw_sql(AssertSqlSafe(execute.clone())).fetch_many(&mut *connection));
            while let Some(item) = stream.try_next().await.map_err(failed)? {
                match item {
                    Either::Left(done) if statement.access == Access::Write => {
                        rows.affected = Some(done.rows_affected())
                    }
                    Either::Left(_) => {}
                    Either::Right(row) => {
                        if rows.columns.is_empty() {
                            rows.columns = columns_of(row.columns());
                        }
                        let full = !rows.push(cells_of(&row)?, &limits);
                        // A statement that writes is run to its end; otherwise it would be undone.
                        if full && statement.access == Access::Read {
                            complete = false;
                            break;
                        }
                    }
                }
            }
        }
        if complete && rows.columns.is_empty() {
            // Without rows the columns come from a description.
            let described = connection.prepare(AssertSqlSafe(execute).into_sql_str()).await.map_err(failed)?;
            rows.columns = columns_of(described.columns());
        }
        Ok(Executed { rows, complete })
    }

    /// Prepares the client's statement. EXECUTE gathers its whole answer before the first row is sent, so that a
    /// reading one is tried with a LIMIT around it first. Who breaks out of the brackets gets around that LIMIT and
    /// nothing else: it is still one statement in a READ ONLY transaction.
    async fn prepare(
        &self,
        connection: &mut PgConnection,
        statement: &Statement,
        limits: &Limits,
    ) -> Result<(), sqlx::Error> {
        if statement.access == Access::Read {
            let inner = statement.sql.trim_end_matches(|end: char| end == ';' || end.is_whitespace());
            let limited = format!("SELECT * FROM (\n{inner}\n) AS omni LIMIT {}", limits.rows_max + 1);
            connection.execute(sqlx::raw_sql("SAVEPOINT omni")).await?;
            match prepare_as(&mut *connection, &limited).await {
                Err(sqlx::Error::Database(_)) => {
                    connection.execute(sqlx::raw_sql("ROLLBACK TO SAVEPOINT omni")).await?
                }
                done => return done,
            };
        }
        prepare_as(connection, &statement.sql).await
    }

    /// DDL cannot be prepared; here the words it begins with say what the one statement is.
    async fn create_table(&self, connection: &mut PgConnection, sql: &str) -> Result<Executed, Failure> {
        let mut words = sql.split_whitespace().map(str::to_ascii_uppercase);
        let creates = words.next().as_deref() == Some("CREATE")
            && match words.next().as_deref() {
                Some("TABLE") => true,
                Some("UNLOGGED") => words.next().as_deref() == Some("TABLE"),
                _ => false,
            };
        if !creates {
            return Err(Failure::new("this tool runs only a statement that begins with CREATE TABLE"));
        }
        let statement = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        connection.execute(statement).await.map_err(|error| self.failure(&error, Access::CreateTable))?;
        Ok(Executed { rows: Rows::default(), complete: true })
    }

    fn failure(&self, error: &sqlx::Error, access: Access) -> Failure {
        let Some(database) = error.as_database_error() else { return Failure::because("PostgreSQL", error) };
        let advice = match (database.code().as_deref(), access) {
            (Some("57014"), _) => {
                let seconds = self.limits.timeout.as_secs();
                return Failure::new(format!("the statement took longer than {seconds} s and was stopped"));
            }
            (Some("25006"), _) => " (this tool cannot change the database)",
            (Some("42601"), Access::Read) => " (read_query runs one SELECT, WITH or VALUES)",
            (Some("42601"), Access::Write) => " (write_query runs one INSERT, UPDATE, DELETE or MERGE)",
            _ => "",
        };
        Failure::new(format!("PostgreSQL: {}{advice}", database.message()))
    }
}

/// By the extended protocol, which takes one statement, whatever the text holds.
async fn prepare_as(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    let prepare = sqlx::query(AssertSqlSafe(format!("PREPARE omni_statement AS {sql}"))).persistent(false);
    connection.execute(prepare).await.map(drop)
}

/// What ran, and whether all of its answer was read.
struct Executed {
    rows: Rows,
    complete: bool,
}

fn columns_of(columns: &[sqlx::postgres::PgColumn]) -> Vec<(String, Option<String>)> {
    let kind = |column: &sqlx::postgres::PgColumn| match column.type_info().name() {
        "?" | "" => None,
        name => Some(name.to_ascii_lowercase()),
    };
    columns.iter().map(|column| (column.name().to_owned(), kind(column))).collect()
}

fn cells_of(row: &PgRow) -> Result<Vec<Value>, Failure> {
    let failed = |error: String| Failure::because("PostgreSQL sent a value that cannot be read", error);
    let cell = |column: usize| {
        let value = row.try_get_raw(column).map_err(|error| failed(error.to_string()))?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        let text = value.as_str().map_err(|error| failed(error.to_string()))?;
        Ok(json_of(row.columns()[column].type_info().name(), text))
    };
    (0..row.len()).map(cell).collect()
}

/// Stops the statement in the database when its call is given up: closing a connection alone does not.
struct Stop {
    options: PgConnectOptions,
    backend: i32,
    armed: bool,
}

impl Stop {
    fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.armed, Handle::try_current()) else { return };
        let (options, backend) = (self.options.clone(), self.backend);
        // Nobody waits for this task: it is bounded in time, and statement_timeout stands behind it.
        drop(runtime.spawn(timeout(CONNECT_MAX, async move {
            if let Ok(mut connection) = PgConnection::connect_with(&options).await {
                let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(backend);
                drop(connection.execute(cancel).await);
            }
        })));
    }
}
