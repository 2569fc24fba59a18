//! Which database a URL means, and the calls that both kinds answer.

use std::sync::Arc;

use anyhow::bail;
use serde_json::Value;

use crate::database::postgres::Postgres;
use crate::database::rows::{Limits, Rows};
use crate::database::sqlite::Sqlite;
use crate::database::sqlite_schema;
use crate::database::statement::Statement;
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;

/// The served database.
pub(crate) enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Box<Postgres>),
}

impl Engine {
    pub(crate) fn open(url: &str, write: bool, limits: Limits) -> anyhow::Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(Box::new(Postgres::open(url, limits)?)));
        }
        let by_ending =
            [".db", ".sqlite", ".sqlite3"].iter().any(|ending| url.ends_with(ending)) && !url.contains("://");
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).or(by_ending.then_some(url));
        match path {
            Some("" | ":memory:") => {
                bail!("--url: a database in memory would be another one for each call; give a file")
            }
            Some(path) => Ok(Self::Sqlite(Arc::new(Sqlite::open(path, write, limits)?))),
            None => bail!(
                "--url must be sqlite:PATH, a path that ends in .db, .sqlite or .sqlite3, or postgres://USER@HOST/DATABASE"
            ),
        }
    }

    /// The database without its password, for people and models.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Sqlite(sqlite) => format!("the SQLite database {}", sqlite.path().display()),
            Self::Postgres(postgres) => format!("the PostgreSQL database {}", postgres.shown()),
        }
    }

    pub(crate) async fn run(&self, statement: Statement, cancel: Cancel) -> Result<Rows, Failure> {
        match self {
            Self::Sqlite(sqlite) => {
                let sqlite = Arc::clone(sqlite);
                blocking(move || sqlite.run(&statement, &cancel)).await
            }
            Self::Postgres(postgres) => postgres.run(&statement).await,
        }
    }

    /// Names and kinds of the tables and views, and whether there are more.
    pub(crate) async fn tables(&self, cancel: Cancel) -> Result<(Vec<(String, String)>, bool), Failure> {
        match self {
            Self::Sqlite(sqlite) => {
                let sqlite = Arc::clone(sqlite);
                blocking(move || sqlite_schema::tables(&sqlite, &cancel)).await
            }
            Self::Postgres(postgres) => postgres.tables().await,
        }
    }

    /// The schema of one table; `None` when there is none of this name.
    pub(crate) async fn describe(&self, table: String, cancel: Cancel) -> Result<Option<Value>, Failure> {
        match self {
            Self::Sqlite(sqlite) => {
                let sqlite = Arc::clone(sqlite);
                blocking(move || sqlite_schema::describe(&sqlite, &table, &cancel)).await
            }
            Self::Postgres(postgres) => postgres.describe(&table).await,
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::because("the query broke off", error)))
}
