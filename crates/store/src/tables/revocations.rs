//! Revocations: tokens that are refused although their issuer still vouches for them.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::page::Page;

/// A revocation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationRow {
    /// By what it is called.
    pub id: String,
    /// `jti` (one token) or `subject` (all of somebody's).
    pub kind: String,
    /// Of which issuer's tokens; empty for every one.
    pub issuer: String,
    /// The token's `jti`, or the subject.
    pub value: String,
    /// Why, in the words of who did it.
    pub reason: String,
    /// When it was done.
    pub revoked_at: i64,
    /// Who did it.
    pub revoked_by: String,
    /// From when on it is of no use, since the tokens have expired.
    pub until_at: Option<i64>,
}

impl FromRow<'_, SqliteRow> for RevocationRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            issuer: row.try_get("issuer")?,
            value: row.try_get("value")?,
            reason: row.try_get("reason")?,
            revoked_at: row.try_get("revoked_at")?,
            revoked_by: row.try_get("revoked_by")?,
            until_at: row.try_get("until_at")?,
        })
    }
}

// The same thing revoked again is revoked anew: for a subject, tokens that were made since are meant too.
const INSERT: &str = "INSERT INTO revocations (id, kind, issuer, value, reason, revoked_at, revoked_by, until_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (kind, issuer, value) DO UPDATE SET
        id = excluded.id, reason = excluded.reason, revoked_at = excluded.revoked_at,
        revoked_by = excluded.revoked_by, until_at = excluded.until_at";

impl Store {
    /// Keeps a revocation, in place of an earlier one of the same thing.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn add_revocation(&self, row: &RevocationRow) -> Result<(), StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        sqlx::query(INSERT)
            .bind(&row.id)
            .bind(&row.kind)
            .bind(&row.issuer)
            .bind(&row.value)
            .bind(&row.reason)
            .bind(row.revoked_at)
            .bind(&row.revoked_by)
            .bind(row.until_at)
            .execute(&mut *transaction)
            .await
            .map_err(engine)?;
        transaction.commit().await.map_err(engine)
    }

    /// The revocations of one page.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn revocations(&self, page: &Page) -> Result<Vec<RevocationRow>, StoreError> {
        let (at, id) = page.after();
        let sql = "SELECT * FROM revocations WHERE (revoked_at, id) > ($1, $2) ORDER BY revoked_at, id LIMIT $3";
        let rows = sqlx::query_as(sql).bind(at).bind(id).bind(page.limit()).fetch_all(self.readers().await?).await;
        rows.map_err(|error| self.error(&error))
    }

    /// Takes a revocation back; `false` when there is none of that id.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn remove_revocation(&self, id: &str) -> Result<bool, StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM revocations WHERE id = $1";
        let done = sqlx::query(sql).bind(id).execute(&mut *transaction).await.map_err(engine)?;
        transaction.commit().await.map_err(engine)?;
        Ok(done.rows_affected() > 0)
    }

    /// Forgets revocations whose tokens have expired; how many.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn forget_revocations(&self, now: i64) -> Result<u64, StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM revocations WHERE until_at < $1";
        let done = sqlx::query(sql).bind(now).execute(&mut *transaction).await.map_err(engine)?;
        transaction.commit().await.map_err(engine)?;
        Ok(done.rows_affected())
    }
}
