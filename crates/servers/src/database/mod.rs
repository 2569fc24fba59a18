//! The Database server: one SQLite file or one PostgreSQL database, read and, with `--write`, changed.
//!
//! That reading does not write is enforced by the engines and not by looking at the text: SQLite opens the file
//! read-only with `query_only` and an authorizer, PostgreSQL runs in a READ ONLY transaction that is rolled back. A
//! call runs one statement on a connection of its own, so that nothing set by one call is seen by another. What the
//! role of a PostgreSQL URL may do, its functions may do: give the server a role with few rights, not a superuser.
//! Names and arguments of the tools follow the reference SQLite server; its memo of insights, a demonstration, is not
//! here.

mod engine;
mod pg_text;
mod postgres;
mod rows;
mod schema;
mod sqlite;
mod sqlite_policy;
mod sqlite_schema;
mod statement;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use crate::database::engine::Engine;
use crate::database::rows::Limits;
use crate::mcp::server::Server;

/// Query and, with --write, change one SQLite or PostgreSQL database.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// sqlite:PATH, a path that ends in .db, .sqlite or .sqlite3, or postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub url: String,
    /// Offer the tools that write too; without it they do not exist
    #[arg(long)]
    pub write: bool,
    /// Rows of one answer
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rows_max: u32,
    /// Seconds that one statement may take
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub timeout_s: u32,
}

pub(crate) fn server(options: &Options) -> anyhow::Result<Server> {
    let limits =
        Limits { rows_max: options.rows_max as usize, timeout: Duration::from_secs(u64::from(options.timeout_s)) };
    let engine = Arc::new(Engine::open(&options.url, options.write, limits)?);
    let access = if options.write { "Reading and writing" } else { "Reading only" };
    let instructions = format!(
        "{access} of {}. One statement a call; answers hold at most {} rows and say when they were cut.",
        engine.shown(),
        options.rows_max
    );
    let tools = tools::tools(&engine, options.write);
    let resources: Arc<dyn crate::mcp::server::Resources> = Arc::new(schema::Schema(engine));
    Ok(Server { name: "omni-database", title: "Database", instructions, tools, resources: Some(resources) })
}
