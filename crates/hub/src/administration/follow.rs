//! What is kept is put in force: at the start, and whenever somebody changed it, be it another process.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use omni_auth::{API_KEY_DIGEST_BYTES, ApiKey, Grants, Revocation};
use omni_store::{ApiKeyRow, Page, RevocationRow, StoreError};
use tokio::time::Instant;

use crate::administration::error::AdminError;
use crate::administration::handle::Administration;
use crate::administration::revoke::meaning;
use crate::approvals::unix_now;

/// Between two looks at whether another process changed what is kept: one system call or two.
const LOOK: Duration = Duration::from_secs(1);
/// Between two notes of when keys were last used.
const NOTE: Duration = Duration::from_secs(60);
/// Between two rounds of forgetting.
const FORGET: Duration = Duration::from_secs(3600);
/// Keys that are of no use, and approvals, are remembered so long.
const REMEMBER_S: i64 = 90 * 24 * 3600;

impl Administration {
    /// Puts in force what is kept. Where that cannot be read, API keys and tokens of providers are refused, and the rest
    /// of the hub works.
    pub async fn load(&self) {
        let Some(store) = &self.store else { return };
        let stamp = store.stamp();
        if !store.exists() {
            return;
        }
        let _turn = self.turn.lock().await;
        let loaded = match self.load_keys().await {
            Ok(()) => self.load_revocations().await,
            Err(error) => Err(error),
        };
        if let Err(error) = loaded {
            tracing::error!(%error, "API keys and tokens of providers are refused: what is kept of them cannot be read");
            self.keys.unknown(error.to_string());
            self.revocations.lost();
        }
        if let Err(error) = self.hub().load_choices().await {
            tracing::error!(%error, "which profiles people chose cannot be read: what was known stays; where nothing was, /mcp shows nothing");
            // It is tried again with the next look.
            return;
        }
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).stamp = Some(stamp);
    }

    /// Follows what is kept for as long as the hub runs.
    pub async fn follow(self: Arc<Self>) {
        let Some(store) = &self.store else { return };
        let (mut noted_at, mut noted, mut forgot_at) = (Instant::now(), unix_now(), None::<Instant>);
        loop {
            tokio::time::sleep(LOOK).await;
            let seen = self.in_force.lock().unwrap_or_else(PoisonError::into_inner).stamp;
            if store.exists() && seen != Some(store.stamp()) {
                self.load().await;
            }
            if noted_at.elapsed() >= NOTE {
                noted_at = Instant::now();
                noted = self.note_uses(noted).await;
            }
            if store.exists() && forgot_at.is_none_or(|at| at.elapsed() >= FORGET) {
                forgot_at = Some(Instant::now());
                self.forget().await;
            }
        }
    }

    /// Notes when keys were last used, so that a restart does not forget it.
    pub async fn note_uses(&self, since: i64) -> i64 {
        let (Some(store), now) = (&self.store, unix_now()) else { return since };
        // A second that is not over yet is noted again.
        let used = self.keys.used_since(since - 1);
        if used.is_empty() {
            return since;
        }
        match store.touch_api_keys(&used).await {
            Ok(()) => now,
            Err(error) => {
                tracing::warn!(%error, "when API keys were last used is not kept");
                since
            }
        }
    }

    async fn forget(&self) {
        let Some(store) = &self.store else { return };
        let now = unix_now();
        let before = now - REMEMBER_S;
        let forgotten = async {
            store.forget_revocations(now).await?;
            store.withdraw_approvals(now).await?;
            store.forget_approvals(before).await?;
            store.forget_api_keys(before).await
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, "what is of no use any more is not forgotten");
        }
    }

    pub(super) async fn load_keys(&self) -> Result<(), AdminError> {
        let rows = self.all_keys().await?;
        let keys: Result<Vec<ApiKey>, AdminError> = rows.into_iter().map(held).collect();
        self.keys.replace(keys?);
        Ok(())
    }

    pub(super) async fn load_revocations(&self) -> Result<(), AdminError> {
        let store = self.store()?;
        let mut rows: Vec<RevocationRow> = Vec::new();
        loop {
            let after = rows.last().map(|row| (row.revoked_at, row.id.clone()));
            let page = store.revocations(&Page { after, ..Page::default() }).await?;
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        let now = unix_now();
        let mut wanted: Vec<Revocation> =
            rows.iter().filter(|row| row.until_at.is_none_or(|end| end > now)).map(meaning).collect();
        let gone: Vec<Revocation> = {
            let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
            let gone = in_force.revocations.iter().filter(|old| !wanted.contains(old)).cloned().collect();
            in_force.revocations.clone_from(&wanted);
            gone
        };
        for revocation in gone {
            self.revocations.remove(&revocation);
        }
        let mut all = true;
        for revocation in wanted.drain(..) {
            all &= self.refuse(revocation);
        }
        // Not before all are in force, and not at all where there is no room for them.
        if all {
            self.revocations.found();
        }
        Ok(())
    }
}

fn held(row: ApiKeyRow) -> Result<ApiKey, AdminError> {
    let broken = |what: &str| {
        AdminError::Store(StoreError::Engine(format!(
            "the {what} of API key {} is none: it was changed by hand",
            row.id
        )))
    };
    let digest = digest(&row.digest).ok_or_else(|| broken("digest"))?;
    let grants: Grants = serde_json::from_str(&row.grants).map_err(|_| broken("grants"))?;
    let seconds = |at: i64| u64::try_from(at).unwrap_or(0);
    Ok(ApiKey {
        digest,
        grants,
        name: row.name,
        tenant: row.tenant,
        created_at: seconds(row.created_at),
        expires_at: row.expires_at.map(seconds),
        revoked: row.revoked_at.is_some(),
        last_used: AtomicI64::new(row.last_used_at.unwrap_or(0)),
        id: row.id,
    })
}

fn digest(hex: &str) -> Option<[u8; API_KEY_DIGEST_BYTES]> {
    let mut digest = [0; API_KEY_DIGEST_BYTES];
    if hex.len() != 2 * API_KEY_DIGEST_BYTES || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(digest)
}
