//! API keys: everything of them but the secret, of which a digest is kept.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::page::Page;

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Its public part.
    pub id: String,
    /// SHA-256 of the whole key, in hexadecimal digits.
    pub digest: String,
    /// Whose identity it gives: keys of one name follow one another.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// The tenant it belongs to.
    pub tenant: Option<String>,
    /// JSON text of what it may.
    pub grants: String,
    /// When it was made.
    pub created_at: i64,
    /// Who made it.
    pub created_by: String,
    /// From when on it is refused.
    pub expires_at: Option<i64>,
    /// Since when it is refused.
    pub revoked_at: Option<i64>,
    /// About when it was last used.
    pub last_used_at: Option<i64>,
}

impl FromRow<'_, SqliteRow> for ApiKeyRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            digest: row.try_get("digest")?,
            name: row.try_get("name")?,
            owner: row.try_get("owner")?,
            tenant: row.try_get("tenant")?,
            grants: row.try_get("grants")?,
            created_at: row.try_get("created_at")?,
            created_by: row.try_get("created_by")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            last_used_at: row.try_get("last_used_at")?,
        })
    }
}

const INSERT: &str = "INSERT INTO api_keys
    (id, digest, name, owner, tenant, grants, created_at, created_by, expires_at, revoked_at, last_used_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

impl Store {
    /// Keeps a new key; with `closing`, the keys of these ids expire at the given time instead of later: both or neither.
    ///
    /// # Errors
    /// When there is one of that id already, or nothing can be kept.
    pub async fn add_api_key(&self, key: &ApiKeyRow, closing: &[(String, i64)]) -> Result<(), StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        sqlx::query(INSERT)
            .bind(&key.id)
            .bind(&key.digest)
            .bind(&key.name)
            .bind(&key.owner)
            .bind(&key.tenant)
            .bind(&key.grants)
            .bind(key.created_at)
            .bind(&key.created_by)
            .bind(key.expires_at)
            .bind(key.revoked_at)
            .bind(key.last_used_at)
            .execute(&mut *transaction)
            .await
            .map_err(engine)?;
        for (id, at) in closing {
            let sql = "UPDATE api_keys SET expires_at = $2 WHERE id = $1 AND (expires_at IS NULL OR expires_at > $2)";
            sqlx::query(sql).bind(id).bind(at).execute(&mut *transaction).await.map_err(engine)?;
        }
        transaction.commit().await.map_err(engine)
    }

    /// The keys of one page.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn api_keys(&self, page: &Page) -> Result<Vec<ApiKeyRow>, StoreError> {
        let (at, id) = page.after();
        let sql = "SELECT * FROM api_keys WHERE (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3";
        let rows = sqlx::query_as(sql).bind(at).bind(id).bind(page.limit()).fetch_all(self.readers().await?).await;
        rows.map_err(|error| self.error(&error))
    }

    /// Marks a key revoked; `false` when there is none of that id, or it was already.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn revoke_api_key(&self, id: &str, now: i64) -> Result<bool, StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        let sql = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        let done = sqlx::query(sql).bind(id).bind(now).execute(&mut *transaction).await.map_err(engine)?;
        transaction.commit().await.map_err(engine)?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes when keys were last used, all at once.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn touch_api_keys(&self, used: &[(String, i64)]) -> Result<(), StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        for (id, at) in used {
            let sql =
                "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
            sqlx::query(sql).bind(id).bind(at).execute(&mut *transaction).await.map_err(engine)?;
        }
        transaction.commit().await.map_err(engine)
    }

    /// Forgets keys that have been of no use since before `before`; how many.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn forget_api_keys(&self, before: i64) -> Result<u64, StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM api_keys WHERE revoked_at < $1 OR expires_at < $1";
        let done = sqlx::query(sql).bind(before).execute(&mut *transaction).await.map_err(engine)?;
        transaction.commit().await.map_err(engine)?;
        Ok(done.rows_affected())
    }
}
