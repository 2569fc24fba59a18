//! Bringing a database to the form that this hub knows: forward only, each step once, all or nothing.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::{Connection as _, SqliteConnection};

use crate::error::StoreError;

/// One step of the database's form.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// All steps, in order. A new one is a file and a line.
const ALL: &[Migration] = &[
    Migration { version: 1, name: "identity", sql: include_str!("../migrations/0001_identity.sql") },
    Migration { version: 2, name: "profiles", sql: include_str!("../migrations/0002_profiles.sql") },
];

/// A step as `omni store` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// What is kept of each step that was applied.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS migrations (
    version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/// Applies what is missing; the steps that were.
pub(crate) async fn migrate(path: &Path, connection: &mut SqliteConnection, now: i64) -> Result<Vec<Step>, StoreError> {
    apply(path, connection, ALL, now).await
}

/// What of the known steps the database has; nothing is changed.
pub(crate) async fn plan(path: &Path, connection: &mut SqliteConnection) -> Result<Vec<Step>, StoreError> {
    let engine = |error: sqlx::Error| StoreError::of(path, &error);
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'migrations'";
    let (ledgers,): (i64,) = sqlx::query_as(tables).fetch_one(&mut *connection).await.map_err(engine)?;
    let applied = if ledgers == 0 { Vec::new() } else { ledger(path, connection).await? };
    let missing = compare(path, &applied, ALL)?;
    Ok(ALL.iter().map(|m| m.step(!missing.iter().any(|other| other.version == m.version))).collect())
}

async fn apply(
    path: &Path,
    connection: &mut SqliteConnection,
    all: &[Migration],
    now: i64,
) -> Result<Vec<Step>, StoreError> {
    let engine = |error: sqlx::Error| StoreError::of(path, &error);
    // Immediate: of two hubs that start at once, the second waits here and then finds it done.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(engine)?;
    sqlx::query(LEDGER).execute(&mut *transaction).await.map_err(engine)?;
    let applied = ledger(path, &mut transaction).await?;
    let missing = compare(path, &applied, all)?;
    for migration in &missing {
        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await.map_err(engine)?;
        sqlx::query("INSERT INTO migrations (version, name, digest, applied_at) VALUES ($1, $2, $3, $4)")
            .bind(migration.version)
            .bind(migration.name)
            .bind(migration.digest())
            .bind(now)
            .execute(&mut *transaction)
            .await
            .map_err(engine)?;
    }
    transaction.commit().await.map_err(engine)?;
    Ok(missing.iter().map(|migration| migration.step(true)).collect())
}

/// Number, name and digest of the steps that were applied.
type Applied = (i64, String, String);

async fn ledger(path: &Path, connection: &mut SqliteConnection) -> Result<Vec<Applied>, StoreError> {
    let rows = sqlx::query_as("SELECT version, name, digest FROM migrations ORDER BY version").fetch_all(connection);
    rows.await.map_err(|error| StoreError::of(path, &error))
}

/// The steps of `all` that are missing, when what was applied is a beginning of them.
fn compare<'m>(path: &Path, applied: &[Applied], all: &'m [Migration]) -> Result<Vec<&'m Migration>, StoreError> {
    let known = all.last().map_or(0, |last| last.version);
    if let Some((found, ..)) = applied.last().filter(|(version, ..)| *version > known) {
        return Err(StoreError::Newer { path: path.to_owned(), found: *found, known });
    }
    for (version, name, digest) in applied {
        if !all.iter().any(|m| m.version == *version && m.digest() == *digest) {
            return Err(StoreError::Altered { path: path.to_owned(), version: *version, name: name.clone() });
        }
    }
    Ok(all.iter().filter(|m| !applied.iter().any(|(version, ..)| *version == m.version)).collect())
}

impl Migration {
    fn digest(&self) -> String {
        digest(&SHA256, self.sql.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn step(&self, applied: bool) -> Step {
        Step { version: self.version, name: self.name.to_owned(), applied }
    }
}

#[cfg(test)]
mod tests;
