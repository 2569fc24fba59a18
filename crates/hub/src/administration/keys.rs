//! API keys: made, listed, rotated, revoked; what is answered is kept, and in force.

use omni_auth::{FreshApiKey, Grants};
use omni_store::{ApiKeyRow, Page};

use crate::administration::error::AdminError;
use crate::administration::handle::Administration;
use crate::approvals::unix_now;

/// Keys that are kept; expired and revoked ones leave after a while.
const KEYS_MAX: usize = 10_000;
/// Characters of a name, an owner, a tenant, a group, a role, a permission.
const NAME_CHARS_MAX: usize = 128;
/// Entries of one list of grants.
const GRANTS_MAX: usize = 64;
/// A key lives at most so long.
const LIFE_S_MAX: i64 = 10 * 366 * 24 * 3600;
/// A key and its successor live side by side at most so long.
const OVERLAP_S_MAX: i64 = 90 * 24 * 3600;

/// A key that is wanted.
#[derive(Debug, Clone, Default)]
pub struct KeyRequest {
    /// Whose identity it gives.
    pub name: String,
    /// Who answers for it; without one, who asks.
    pub owner: Option<String>,
    /// The tenant it belongs to.
    pub tenant: Option<String>,
    /// What its holder is.
    pub grants: Grants,
    /// Seconds that it lives; for ever without.
    pub life_s: Option<i64>,
}

/// A key that was made.
#[derive(Debug)]
pub struct MadeKey {
    /// What is kept of it.
    pub row: ApiKeyRow,
    /// The key itself: shown now and never again.
    pub secret: FreshApiKey,
}

impl Administration {
    /// Makes a key.
    ///
    /// # Errors
    /// When the request makes no sense, a key of that name is in force, or it cannot be kept.
    pub async fn create_key(&self, request: KeyRequest, by: &str) -> Result<MadeKey, AdminError> {
        check(&request)?;
        let _turn = self.turn.lock().await;
        let all = self.all_keys().await?;
        let now = unix_now();
        if let Some(living) = all.iter().find(|key| key.name == request.name && is_living(key, now)) {
            return Err(AdminError::Conflict(format!(
                "a key named `{}` is in force ({}): rotate it, revoke it, or choose another name",
                request.name, living.id
            )));
        }
        if all.len() >= KEYS_MAX {
            return Err(AdminError::Conflict(format!("{KEYS_MAX} keys are kept, which is all that are; revoke some")));
        }
        let grants = serde_json::to_string(&request.grants).map_err(|error| AdminError::Invalid(error.to_string()))?;
        self.add_key(
            ApiKeyRow {
                id: String::new(),
                digest: String::new(),
                name: request.name,
                owner: request.owner.unwrap_or_else(|| by.to_owned()),
                tenant: request.tenant,
                grants,
                created_at: now,
                created_by: by.to_owned(),
                expires_at: request.life_s.map(|life| now + life),
                revoked_at: None,
                last_used_at: None,
            },
            &[],
        )
        .await
    }

    /// Makes a successor of the key `which` (an id or a name), and lets the key itself live for `overlap_s` more.
    ///
    /// # Errors
    /// When there is no such key in force, or it cannot be kept.
    pub async fn rotate_key(
        &self,
        which: &str,
        overlap_s: i64,
        life_s: Option<i64>,
        by: &str,
    ) -> Result<MadeKey, AdminError> {
        if !(0..=OVERLAP_S_MAX).contains(&overlap_s) {
            return Err(AdminError::Invalid(format!("the overlap is 0 to {OVERLAP_S_MAX} seconds")));
        }
        check_life(life_s)?;
        let _turn = self.turn.lock().await;
        let now = unix_now();
        let all = self.all_keys().await?;
        let named: Vec<&ApiKeyRow> = all.iter().filter(|key| is_called(key, which) && is_living(key, now)).collect();
        let Some(old) = named.iter().max_by_key(|key| key.created_at) else {
            return Err(AdminError::NotFound(format!("no key `{which}` is in force")));
        };
        if all.len() >= KEYS_MAX {
            return Err(AdminError::Conflict(format!("{KEYS_MAX} keys are kept, which is all that are; revoke some")));
        }
        let successor = ApiKeyRow {
            created_at: now,
            created_by: by.to_owned(),
            // Without another word it lives as long as the one before was made to.
            expires_at: life_s.or_else(|| old.expires_at.map(|end| end - old.created_at)).map(|life| now + life),
            last_used_at: None,
            ..(*old).clone()
        };
        let closing: Vec<(String, i64)> = named.iter().map(|key| (key.id.clone(), now + overlap_s)).collect();
        let made = self.add_key(successor, &closing).await?;
        if overlap_s == 0 {
            for (id, _) in &closing {
                self.end_key(id, now).await?;
            }
            self.load_keys().await?;
        }
        Ok(made)
    }

    /// Revokes the key of that id, or all keys of that name: effective at once.
    ///
    /// # Errors
    /// When there is none, or it cannot be kept.
    pub async fn revoke_key(&self, which: &str) -> Result<Vec<ApiKeyRow>, AdminError> {
        let _turn = self.turn.lock().await;
        let now = unix_now();
        let all = self.all_keys().await?;
        let mut meant: Vec<ApiKeyRow> =
            all.into_iter().filter(|key| is_called(key, which) && key.revoked_at.is_none()).collect();
        if meant.is_empty() {
            return Err(AdminError::NotFound(format!("there is no key `{which}` that is not revoked already")));
        }
        for key in &mut meant {
            self.end_key(&key.id, now).await?;
            key.revoked_at = Some(now);
        }
        self.load_keys().await?;
        Ok(meant)
    }

    /// One page of the keys, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn keys(&self, page: &Page) -> Result<Vec<ApiKeyRow>, AdminError> {
        let Some(store) = self.store.as_ref().filter(|store| store.exists()) else { return Ok(Vec::new()) };
        let mut rows = store.api_keys(page).await?;
        for row in &mut rows {
            row.last_used_at = self.keys.last_used(&row.id).max(row.last_used_at);
        }
        Ok(rows)
    }

    async fn end_key(&self, id: &str, now: i64) -> Result<(), AdminError> {
        self.store()?.revoke_api_key(id, now).await?;
        // Kept first: what is in force and forgotten at the next start would be worse than what is late by a moment.
        self.refuse(omni_auth::Revocation::Token { issuer: None, id: id.to_owned() });
        self.end_sessions(|principal| principal.client() == Some(id));
        Ok(())
    }

    async fn add_key(&self, row: ApiKeyRow, closing: &[(String, i64)]) -> Result<MadeKey, AdminError> {
        let secret = FreshApiKey::make().map_err(|_| AdminError::NoRandomness)?;
        let digest = omni_types::hex(&secret.digest);
        let row = ApiKeyRow { id: secret.id.clone(), digest, ..row };
        self.store()?.add_api_key(&row, closing).await?;
        self.load_keys().await?;
        // Who a name is may have changed: what was made for it is made anew.
        self.hub.forget_views();
        Ok(MadeKey { row, secret })
    }

    pub(super) async fn all_keys(&self) -> Result<Vec<ApiKeyRow>, AdminError> {
        let store = self.store()?;
        let mut all: Vec<ApiKeyRow> = Vec::new();
        if !store.exists() {
            return Ok(all);
        }
        loop {
            let after = all.last().map(|key| (key.created_at, key.id.clone()));
            let page = store.api_keys(&Page { after, ..Page::default() }).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

fn is_called(key: &ApiKeyRow, which: &str) -> bool {
    key.id == which || key.name == which
}

fn is_living(key: &ApiKeyRow, now: i64) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now)
}

fn check(request: &KeyRequest) -> Result<(), AdminError> {
    let name = &request.name;
    let right = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(right) {
        return Err(AdminError::Invalid(format!(
            "`name` has 1 to {NAME_CHARS_MAX} letters, digits and `.`, `_`, `-`, `@`: policies and logs call the key so"
        )));
    }
    let Grants { groups, roles, permissions, servers } = &request.grants;
    for (what, list) in [("groups", groups), ("roles", roles), ("permissions", permissions), ("servers", servers)] {
        if list.len() > GRANTS_MAX || !list.iter().all(|entry| is_word(entry)) {
            return Err(AdminError::Invalid(format!(
                "`{what}` has at most {GRANTS_MAX} entries of 1 to {NAME_CHARS_MAX} printable characters without spaces"
            )));
        }
    }
    for (what, text) in [("owner", &request.owner), ("tenant", &request.tenant)] {
        if text.as_ref().is_some_and(|text| !is_word(text)) {
            return Err(AdminError::Invalid(format!(
                "`{what}` has 1 to {NAME_CHARS_MAX} printable characters without spaces"
            )));
        }
    }
    if let Some(bad) = servers.iter().find(|name| omni_types::ServerName::parse(name).is_err()) {
        return Err(AdminError::Invalid(format!("`{bad}` is no name of a server")));
    }
    check_life(request.life_s)
}

fn check_life(life_s: Option<i64>) -> Result<(), AdminError> {
    match life_s {
        Some(life) if !(1..=LIFE_S_MAX).contains(&life) => {
            Err(AdminError::Invalid(format!("a key lives 1 to {LIFE_S_MAX} seconds")))
        }
        _ => Ok(()),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= NAME_CHARS_MAX
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}
