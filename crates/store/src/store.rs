//! The database: opened by the first who needs it, one writer, few readers.
//!
//! Everything that is answered "kept" is on the disk: write-ahead log with `synchronous = FULL`. SQL is written so that
//! PostgreSQL reads it too; what is SQLite's own (pragmas, how the file is made) stands here and in `file.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::OnceCell;

use crate::error::StoreError;
use crate::file;
use crate::migrate::{self, Step};

/// The file in the data directory.
pub const FILE: &str = "omni.db";
/// Says in the file's head whose it is: `OMNI`.
const APPLICATION_ID: i64 = 0x4f4d_4e49;
/// Readers at a time; each is a thread.
const READERS_MAX: u32 = 2;
/// After which an unused connection, and its thread, goes.
const IDLE: Duration = Duration::from_secs(30);
/// For another process that writes to finish.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// For a connection to become free.
const TURN_WAIT: Duration = Duration::from_secs(10);
/// Statements kept prepared on a connection.
const STATEMENTS_MAX: usize = 32;

/// The database of one data directory. Cheap to copy; nothing is opened before it is needed.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    pools: OnceCell<Pools>,
}

#[derive(Debug)]
struct Pools {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// What tells one state of the database's files from another without opening them.
pub type Stamp = [Option<(SystemTime, u64)>; 2];

/// What a check of the database found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The file.
    pub path: PathBuf,
    /// The steps of its form.
    pub steps: Vec<Step>,
    /// What is wrong with it; empty when it is whole.
    pub problems: Vec<String>,
}

impl Store {
    /// The database in `folder`, which need not be there yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self(Arc::new(Inner { path: folder.join(FILE), pools: OnceCell::new() }))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether anything was ever kept. What cannot be looked at is taken to be there, so that opening it says why not.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(std::fs::symlink_metadata(&self.0.path), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
    }

    /// Changes when somebody, also another process, wrote.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let mut log = self.0.path.clone().into_os_string();
        log.push("-wal");
        [self.0.path.as_path(), Path::new(&log)].map(|path| {
            let is = std::fs::metadata(path).ok()?;
            Some((is.modified().ok()?, is.len()))
        })
    }

    /// Examines the whole file. Nothing is changed.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub async fn check(&self) -> Result<Health, StoreError> {
        file::examine(&self.0.path)?;
        let mut connection = self.connect().await?;
        let steps = migrate::plan(&self.0.path, &mut connection).await?;
        let mut problems = Vec::new();
        let rows: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check(20)")
            .fetch_all(&mut connection)
            .await
            .map_err(|error| self.error(&error))?;
        problems.extend(rows.into_iter().map(|(row,)| row).filter(|row| row != "ok"));
        let _closing_says_nothing_new = connection.close().await;
        Ok(Health { path: self.0.path.clone(), steps, problems })
    }

    /// Opens the database now, and brings it to the form that this hub knows.
    ///
    /// # Errors
    /// When it is not there to be used.
    pub async fn open(&self) -> Result<(), StoreError> {
        self.pools().await.map(|_| ())
    }

    /// Ends all connections, so that the log is worked into the file.
    pub async fn close(&self) {
        if let Some(pools) = self.0.pools.get() {
            pools.readers.close().await;
            pools.writer.close().await;
        }
    }

    pub(crate) async fn readers(&self) -> Result<&SqlitePool, StoreError> {
        Ok(&self.pools().await?.readers)
    }

    /// A transaction that may write. Immediate, since one that begins by reading may not wait for its turn later.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        let pools = self.pools().await?;
        pools.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.error(&error))
    }

    pub(crate) fn error(&self, error: &sqlx::Error) -> StoreError {
        StoreError::of(&self.0.path, error)
    }

    async fn pools(&self) -> Result<&Pools, StoreError> {
        self.0.pools.get_or_try_init(|| self.make()).await
    }

    async fn make(&self) -> Result<Pools, StoreError> {
        file::secure(&self.0.path)?;
        let mut connection = self.connect().await?;
        let applied = self.prepare(&mut connection).await;
        let _closing_says_nothing_new = connection.close().await;
        for step in applied? {
            tracing::info!(migration = step.version, name = step.name, file = %self.0.path.display(), "database brought up to date");
        }
        let pool = |max| {
            SqlitePoolOptions::new()
                .max_connections(max)
                .idle_timeout(IDLE)
                .max_lifetime(None)
                .acquire_timeout(TURN_WAIT)
        };
        Ok(Pools {
            writer: pool(1).connect_lazy_with(self.options()),
            readers: pool(READERS_MAX).connect_lazy_with(self.options().pragma("query_only", "1")),
        })
    }

    async fn prepare(&self, connection: &mut SqliteConnection) -> Result<Vec<Step>, StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let (id,): (i64,) =
            sqlx::query_as("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(engine)?;
        let tables = "SELECT COUNT(*) FROM sqlite_master";
        let (tables,): (i64,) = sqlx::query_as(tables).fetch_one(&mut *connection).await.map_err(engine)?;
        if id != APPLICATION_ID && (id != 0 || tables != 0) {
            return Err(StoreError::NotOurs(self.0.path.clone()));
        }
        if id == 0 {
            // 0x4f4d4e49
            sqlx::query("PRAGMA application_id = 1330466377").execute(&mut *connection).await.map_err(engine)?;
        }
        migrate::migrate(&self.0.path, connection, unix_now()).await
    }

    async fn connect(&self) -> Result<SqliteConnection, StoreError> {
        SqliteConnection::connect_with(&self.options()).await.map_err(|error| self.error(&error))
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.0.path)
            // The file is made by `file::secure`, with its mode.
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_WAIT)
            .statement_cache_capacity(STATEMENTS_MAX)
            .pragma("trusted_schema", "0")
            .pragma("cell_size_check", "1")
            .pragma("secure_delete", "1")
    }
}

/// Seconds since 1970-01-01 UTC.
fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
