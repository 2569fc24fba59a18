//! Profiles that people chose.

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Keeps that `profile` applies to `principal`, or none any more.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn choose_profile(&self, principal: &str, profile: Option<&str>, now: i64) -> Result<(), StoreError> {
        let engine = |error: sqlx::Error| self.error(&error);
        let mut transaction = self.write().await?;
        match profile {
            Some(profile) => {
                let sql = "INSERT INTO profile_choices (principal, profile, chosen_at) VALUES ($1, $2, $3)
                    ON CONFLICT (principal) DO UPDATE SET profile = excluded.profile, chosen_at = excluded.chosen_at";
                let query = sqlx::query(sql).bind(principal).bind(profile).bind(now);
                query.execute(&mut *transaction).await.map_err(engine)?;
            }
            None => {
                let query = sqlx::query("DELETE FROM profile_choices WHERE principal = $1").bind(principal);
                query.execute(&mut *transaction).await.map_err(engine)?;
            }
        }
        transaction.commit().await.map_err(engine)
    }

    /// Who chose which, the latest first, at most `max`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn profile_choices(&self, max: usize) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT principal, profile FROM profile_choices ORDER BY chosen_at DESC, principal LIMIT $1";
        let query = sqlx::query_as(sql).bind(i64::try_from(max).unwrap_or(i64::MAX));
        query.fetch_all(self.readers().await?).await.map_err(|error| self.error(&error))
    }
}
