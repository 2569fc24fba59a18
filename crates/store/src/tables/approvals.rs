//! Approvals: calls that waited for a person's word, and what it was.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::page::Page;

/// An approval as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// By what it is called.
    pub id: String,
    /// `waiting`, `approved`, `denied`, `expired`, `withdrawn` (nobody waits for it any more).
    pub state: String,
    /// Whose call it is.
    pub principal: String,
    /// What is to be done, such as `tools/call`.
    pub action: String,
    /// At which server.
    pub server: String,
    /// With which tool, prompt or resource.
    pub name: String,
    /// The arguments, as far as they are shown to who decides.
    pub arguments: String,
    /// Digest of the arguments as they would be sent.
    pub arguments_digest: String,
    /// The policy that asks for it.
    pub policy: String,
    /// Why it asks.
    pub reason: String,
    /// When it was asked for.
    pub asked_at: i64,
    /// Until when the call waits.
    pub expires_at: i64,
    /// When it was decided.
    pub decided_at: Option<i64>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// What they said.
    pub note: Option<String>,
}

impl FromRow<'_, SqliteRow> for ApprovalRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            state: row.try_get("state")?,
            principal: row.try_get("principal")?,
            action: row.try_get("action")?,
            server: row.try_get("server")?,
            name: row.try_get("name")?,
            arguments: row.try_get("arguments")?,
            arguments_digest: row.try_get("arguments_digest")?,
            policy: row.try_get("policy")?,
            reason: row.try_get("reason")?,
            asked_at: row.try_get("asked_at")?,
            expires_at: row.try_get("expires_at")?,
            decided_at: row.try_get("decided_at")?,
            decided_by: row.try_get("decided_by")?,
            note: row.try_get("note")?,
        })
    }
}

const INSERT: &str = "INSERT INTO approvals (id, state, principal, action, server, name, arguments, arguments_digest,
    policy, reason, asked_at, expires_at, decided_at, decided_by, note)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

impl Store {
    /// Keeps an approval that is asked for.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn add_approval(&self, row: &ApprovalRow) -> Result<(), StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        sqlx::query(INSERT)
            .bind(&row.id)
            .bind(&row.state)
            .bind(&row.principal)
            .bind(&row.action)
            .bind(&row.server)
            .bind(&row.name)
            .bind(&row.arguments)
            .bind(&row.arguments_digest)
            .bind(&row.policy)
            .bind(&row.reason)
            .bind(row.asked_at)
            .bind(row.expires_at)
            .bind(row.decided_at)
            .bind(&row.decided_by)
            .bind(&row.note)
            .execute(&mut *transaction)
            .await
            .map_err(engine)?;
        transaction.commit().await.map_err(engine)
    }

    /// The approvals of one page, in `state` alone where one is named.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn approvals(&self, state: Option<&str>, page: &Page) -> Result<Vec<ApprovalRow>, StoreError> {
        let (at, id) = page.after();
        let sql = "SELECT * FROM approvals WHERE (asked_at, id) > ($1, $2) AND ($3 = '' OR state = $3)
            ORDER BY asked_at, id LIMIT $4";
        let query = sqlx::query_as(sql).bind(at).bind(id).bind(state.unwrap_or_default()).bind(page.limit());
        query.fetch_all(self.readers().await?).await.map_err(|error| self.error(&error))
    }

    /// Ends the wait for an approval; `false` when it is not waited for any more: the first word counts.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn decide_approval(
        &self,
        id: &str,
        state: &str,
        (by, note): (Option<&str>, Option<&str>),
        now: i64,
    ) -> Result<bool, StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        let sql = "UPDATE approvals SET state = $2, decided_by = $3, note = $4, decided_at = $5
            WHERE id = $1 AND state = 'waiting'";
        let query = sqlx::query(sql).bind(id).bind(state).bind(by).bind(note).bind(now);
        let done = query.execute(&mut *transaction).await.map_err(engine)?;
        transaction.commit().await.map_err(engine)?;
        Ok(done.rows_affected() > 0)
    }

    /// What still waits from another start of the hub is waited for by nobody.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn withdraw_approvals(&self, now: i64) -> Result<u64, StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        let sql = "UPDATE approvals SET state = 'expired', decided_at = $1 WHERE state = 'waiting' AND expires_at < $1";
        let done = sqlx::query(sql).bind(now).execute(&mut *transaction).await.map_err(engine)?;
        transaction.commit().await.map_err(engine)?;
        Ok(done.rows_affected())
    }

    /// Forgets approvals that were asked for before `before`; how many.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn forget_approvals(&self, before: i64) -> Result<u64, StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        let sql = "DELETE FROM approvals WHERE asked_at < $1 AND state <> 'waiting'";
        let done = sqlx::query(sql).bind(before).execute(&mut *transaction).await.map_err(engine)?;
        transaction.commit().await.map_err(engine)?;
        Ok(done.rows_affected())
    }
}
