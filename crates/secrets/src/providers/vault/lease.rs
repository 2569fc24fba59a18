//! Credentials that Vault makes for a while: the same ones are given out for as long as they last, renewed, and revoked at the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fault::Fault;
use crate::held::Held;
use crate::providers::vault::api::Api;
use crate::providers::vault::login::renew_at;

/// Credentials at a time.
const LEASES_MAX: usize = 256;

/// One lease.
#[derive(Clone)]
struct Lease {
    id: String,
    held: Held,
    /// When it is to be renewed.
    due: Instant,
    /// When its credentials end.
    until: Instant,
    /// What it is asked to be renewed for.
    lasts: Duration,
    /// It is not renewed any more: others are made before it ends.
    is_last: bool,
}

/// All that are out.
#[derive(Default)]
pub(crate) struct Leases {
    /// By the path in use.
    live: Mutex<BTreeMap<String, Lease>>,
    /// Those that others have taken the place of; their processes may still use them.
    left: Mutex<Vec<String>>,
}

impl Leases {
    /// The credentials that are in use for `path`, while they last and are renewed.
    pub(crate) fn live(&self, path: &str) -> Option<Held> {
        let live = self.all();
        let lease = live.get(path).filter(|lease| !lease.is_last && lease.until > Instant::now())?;
        Some(lease.held.clone())
    }

    /// Those that Vault answered with are in use from now on.
    pub(crate) fn begin(&self, path: &str, body: &[u8]) -> Result<Held, Fault> {
        let unusable = || Fault::Unusable("answered with no credentials".to_owned());
        let mut answer: Value = serde_json::from_slice(body).map_err(|_| unusable())?;
        let data = answer["data"].take();
        if !data.is_object() {
            return Err(unusable());
        }
        let held = Held::new(data.to_string());
        let (id, lasts) = (answer["lease_id"].as_str().unwrap_or_default(), answer["lease_duration"].as_u64());
        if let Some(lasts) = lasts.filter(|lasts| *lasts > 0 && !id.is_empty()).map(Duration::from_secs) {
            let now = Instant::now();
            let is_last = answer["renewable"].as_bool() != Some(true);
            let lease = Lease {
                id: id.to_owned(),
                held: held.clone(),
                due: renew_at(now, lasts),
                until: now + lasts,
                lasts,
                is_last: false,
            };
            let mut live = self.all();
            if live.len() >= LEASES_MAX && !live.contains_key(path) {
                return Err(Fault::Unusable(format!("has made {LEASES_MAX} credentials for this hub already")));
            }
            // One that cannot be renewed is in use until it is due, and then others are.
            let lease = if is_last { Lease { until: lease.due, due: lease.until, ..lease } } else { lease };
            if let Some(before) = live.insert(path.to_owned(), lease) {
                let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
                left.push(before.id);
                let more = left.len().saturating_sub(LEASES_MAX);
                left.drain(..more);
            }
        }
        Ok(held)
    }

    /// Those that are to be renewed now.
    pub(crate) fn due(&self) -> Vec<(String, String)> {
        let now = Instant::now();
        let live = self.all();
        let due = live.iter().filter(|(_, lease)| !lease.is_last && lease.due <= now && lease.until > now);
        due.map(|(path, lease)| (path.clone(), lease.id.clone())).collect()
    }

    /// Asks for one to be renewed. Where Vault does not, or for less than half of its time, others are made when they are asked for
    /// next, and whoever has these is given those.
    pub(crate) async fn renew(&self, api: &Api, token: &Held, path: &str, id: &str) {
        let Some(lasts) = self.all().get(path).map(|lease| lease.lasts) else { return };
        let body = json!({ "lease_id": id, "increment": lasts.as_secs() });
        let began = Instant::now();
        let asked = api.ask(Method::POST, "/v1/sys/leases/renew", Some(token), Some(&body)).await;
        // It does not answer: asked again at the next look.
        let Ok((status, body)) = asked else { return };
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let granted = answer["lease_duration"].as_u64().map(Duration::from_secs).filter(|_| status == StatusCode::OK);
        let mut live = self.all();
        let Some(lease) = live.get_mut(path).filter(|lease| lease.id == id) else { return };
        match granted {
            Some(granted) if granted >= lasts / 2 => {
                (lease.due, lease.until) = (renew_at(began, granted), began + granted);
            }
            _ => lease.is_last = true,
        }
    }

    /// Gives all of them back.
    pub(crate) async fn revoke(&self, api: &Api, token: &Held) {
        let live = std::mem::take(&mut *self.all());
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        for id in live.into_values().map(|lease| lease.id).chain(left) {
            let body = json!({ "lease_id": id });
            if let Err(why) = api.ask(Method::POST, "/v1/sys/leases/revoke", Some(token), Some(&body)).await {
                tracing::warn!(?why, "credentials could not be given back to Vault: they last until their lease ends");
                return;
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Lease>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
