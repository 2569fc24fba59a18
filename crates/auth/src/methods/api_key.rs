//! API keys: secrets that the hub gave to programs, of which it keeps digests (row AUTH-7).
//!
//! All keys are held in memory, so that nobody who asks waits for a disk; who changes them hands in the new list.

mod text;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use omni_types::{Identity, Principal, PrincipalKind};
use serde_json::Value;

use crate::clock::now;
use crate::identified::Verified;
use crate::methods::{Method, Verifying};
use crate::refusal::Refusal;
use crate::revocations::{Revocation, Revocations};

pub use text::{API_KEY_DIGEST_BYTES, FreshApiKey};

/// The claim of a key's principal that names the servers it is for; without it, all.
pub const SERVERS_CLAIM: &str = "servers";
/// For so long a key is taken without another look, so that its last use is known about that well.
const KEEP_S: u64 = 60;
/// What a stranger is told, whichever of the reasons it is.
const NOT_VALID: &str = "this API key is not one of this hub's, or not any more: ask its operator for another";

/// A key as it is held.
#[derive(Debug)]
pub struct ApiKey {
    /// Its public part.
    pub id: String,
    /// SHA-256 of the whole key.
    pub digest: [u8; API_KEY_DIGEST_BYTES],
    /// Whose identity it gives: keys of one name follow one another.
    pub name: String,
    /// The tenant it belongs to.
    pub tenant: Option<String>,
    /// Groups, roles, permissions and servers.
    pub grants: Grants,
    /// When it was made, seconds since 1970.
    pub created_at: u64,
    /// From when on it is refused.
    pub expires_at: Option<u64>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// About when it was last used, seconds since 1970; 0 for never.
    pub last_used: AtomicI64,
}

/// What a key's holder is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Grants {
    /// Groups it is in.
    pub groups: Vec<String>,
    /// Roles it has.
    pub roles: Vec<String>,
    /// Permissions it has.
    pub permissions: Vec<String>,
    /// Servers it is for; all where this is empty.
    pub servers: Vec<String>,
}

impl ApiKey {
    fn principal(&self) -> Principal {
        let mut identity = Identity {
            tenant: self.tenant.clone(),
            client: Some(self.id.clone()),
            groups: self.grants.groups.clone(),
            roles: self.grants.roles.clone(),
            permissions: self.grants.permissions.clone(),
            ..Identity::new(PrincipalKind::ApiKey, self.name.as_str())
        };
        if !self.grants.servers.is_empty() {
            let servers = self.grants.servers.iter().map(|name| Value::String(name.clone())).collect();
            identity.claims.insert(SERVERS_CLAIM.to_owned(), Value::Array(servers));
        }
        Principal::build(identity)
    }
}

/// All keys. Clones are handles of the same list.
#[derive(Clone, Default)]
pub struct ApiKeys(Arc<Inner>);

#[derive(Default)]
struct Inner {
    held: ArcSwap<Held>,
    /// Keys of which it was told that they have ended.
    ended: Mutex<u64>,
}

enum Held {
    Known(HashMap<String, Arc<ApiKey>, foldhash::fast::RandomState>),
    /// Nobody can tell which keys there are: none is taken.
    Unknown(String),
}

impl Default for Held {
    fn default() -> Self {
        Self::Known(HashMap::default())
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeys")
    }
}

impl ApiKeys {
    /// Puts this list in the place of the one before. What is known of last uses is kept.
    pub fn replace(&self, keys: Vec<ApiKey>) {
        let old = self.0.held.load_full();
        let held = keys.into_iter().map(|key| {
            if let Held::Known(old) = &*old
                && let Some(before) = old.get(&key.id)
            {
                key.last_used.fetch_max(before.last_used.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            (key.id.clone(), Arc::new(key))
        });
        self.0.held.store(Arc::new(Held::Known(held.collect())));
    }

    /// Takes no key any more, since nobody can tell which there are.
    pub fn unknown(&self, why: impl Into<String>) {
        self.0.held.store(Arc::new(Held::Unknown(why.into())));
    }

    /// When keys were last used, as far as it was after `since`.
    #[must_use]
    pub fn used_since(&self, since: i64) -> Vec<(String, i64)> {
        let Held::Known(keys) = &*self.0.held.load_full() else { return Vec::new() };
        let used = keys.values().map(|key| (key.id.clone(), key.last_used.load(Ordering::Relaxed)));
        used.filter(|(_, at)| *at > since).collect()
    }

    /// About when a key was last used.
    #[must_use]
    pub fn last_used(&self, id: &str) -> Option<i64> {
        let Held::Known(keys) = &*self.0.held.load_full() else { return None };
        keys.get(id).map(|key| key.last_used.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// The way to tell whose a key is.
    #[must_use]
    pub fn method(&self, revocations: Revocations) -> ApiKeyMethod {
        *self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) = now();
        ApiKeyMethod { keys: self.clone(), revocations }
    }

    fn check(&self, text: &str, now: u64) -> Result<Verified, Refusal> {
        let Some(id) = text::id_of(text) else {
            return Err(Refusal::invalid("this API key is cut off or mistyped: its checksum does not fit"));
        };
        let held = self.0.held.load_full();
        let keys = match &*held {
            Held::Known(keys) => keys,
            Held::Unknown(why) => return Err(Refusal::unavailable(format!("API keys: {why}"))),
        };
        let presented = text::digest_of(text);
        // A stranger's key takes the same steps as one whose secret is wrong.
        let key = keys.get(id);
        let expected = key.map_or([0; API_KEY_DIGEST_BYTES], |key| key.digest);
        let same = text::is_same(&presented, &expected);
        let Some(key) = key.filter(|_| same) else {
            return Err(Refusal::invalid(NOT_VALID).because(format!("API key {id}: unknown, or its secret is wrong")));
        };
        // From here on the holder has shown that the key is theirs.
        if key.revoked {
            return Err(Refusal::invalid("this API key was revoked").because(format!("API key {id} of {}", key.name)));
        }
        if key.expires_at.is_some_and(|end| now >= end) {
            return Err(Refusal::invalid("this API key has expired").because(format!("API key {id} of {}", key.name)));
        }
        key.last_used.fetch_max(i64::try_from(now).unwrap_or(i64::MAX), Ordering::Relaxed);
        Ok(Verified {
            id: Some(key.id.clone()),
            issued_at: Some(key.created_at),
            expires_at: key.expires_at,
            keep_s: Some(KEEP_S),
            ..Verified::new(key.principal())
        })
    }

    /// Tells of keys that have ended since this was last asked: their end may have come nearer since they were taken.
    fn tell_ended(&self, revocations: &Revocations, now: u64) {
        let mut told = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Held::Known(keys) = &*self.0.held.load_full() else { return };
        let ended = keys.values().filter(|key| key.expires_at.is_some_and(|end| end > *told && end <= now));
        for key in ended {
            if let Err(error) = revocations.add(Revocation::Token { issuer: None, id: key.id.clone() }) {
                tracing::error!(%error, key = key.id, "an API key that has expired may go on within {KEEP_S} s");
            }
        }
        *told = now;
    }
}

/// The way to tell whose an API key is.
#[derive(Debug)]
pub struct ApiKeyMethod {
    keys: ApiKeys,
    revocations: Revocations,
}

impl Method for ApiKeyMethod {
    fn takes(&self, token: &str) -> bool {
        text::is_meant(token)
    }

    fn verify<'a>(&'a self, token: &'a str) -> Verifying<'a> {
        let verified = self.keys.check(token, now());
        Box::pin(std::future::ready(verified))
    }

    fn tick(&self) {
        self.keys.tell_ended(&self.revocations, now());
    }
}

#[cfg(test)]
mod tests;
