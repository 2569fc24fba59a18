//! Opaque tokens, looked up at the authorization server that issued them (RFC 7662).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode};
use omni_egress::Fetcher;
use serde_json::Value;
use tokio::time::Instant;

use crate::auth_settings::{IntrospectionSettings, ProviderSettings};
use crate::cache::{Digest, digest_of};
use crate::claims;
use crate::clock::now;
use crate::credentials::Source;
use crate::identified::Verified;
use crate::jwks::{Provider, may_be_asked};
use crate::methods::jwt::audience;
use crate::methods::turns::Turns;
use crate::methods::{bound_to, grant};
use crate::refusal::Refusal;
use crate::token::Times;
use crate::unique;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 128 * 1024;
/// For an answer to come.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For a token that is none not to be asked about again.
const NONE_KEPT: Duration = Duration::from_secs(10);
/// Tokens that are none, as far as they are remembered.
const NONE_MAX: usize = 4_096;

/// The authorization server that is asked.
#[derive(Debug)]
pub(crate) struct IntrospectMethod {
    settings: ProviderSettings,
    introspection: IntrospectionSettings,
    provider: Arc<Provider>,
    scopes: Vec<String>,
    leeway: u64,
    asking: tokio::sync::OnceCell<Fetcher>,
    none: Mutex<HashMap<Digest, Instant>>,
    turns: Turns,
}

impl IntrospectMethod {
    pub(crate) fn new(
        settings: ProviderSettings,
        introspection: IntrospectionSettings,
        provider: Arc<Provider>,
        scopes: Vec<String>,
        leeway: u64,
    ) -> Self {
        let asking = tokio::sync::OnceCell::new();
        let (none, turns) = (Mutex::default(), Turns::default());
        Self { settings, introspection, provider, scopes, leeway, asking, none, turns }
    }

    /// Whether `token` is one of those that begin as this server's do; how many characters say so.
    pub(crate) fn claims(&self, token: &str) -> Option<usize> {
        let prefixes = &self.introspection.token_prefixes;
        if prefixes.is_empty() {
            return Some(0);
        }
        prefixes.iter().filter(|prefix| token.starts_with(&***prefix)).map(String::len).max()
    }

    async fn fetcher(&self) -> Result<&Fetcher, String> {
        self.asking
            .get_or_try_init(|| async {
                let url = match &self.introspection.url {
                    Some(url) => url.clone(),
                    None => self.provider.introspection_url().await?.ok_or("it names no `introspection_endpoint`")?,
                };
                if !may_be_asked(&url, &self.settings.issuer) {
                    return Err(format!("{url} is no https:// address"));
                }
                Fetcher::new(&url, ANSWER_BYTES_MAX, TIMEOUT).map_err(|e| e.to_string())
            })
            .await
    }

    async fn ask(&self, token: &str) -> Result<serde_json::Map<String, Value>, String> {
        // RFC 6749 section 2.3.1: both are form-encoded before they are joined.
        let encoded = |text: &str| -> String { encode(text) };
        let (id, secret) = (encoded(&self.introspection.client_id), encoded(&self.introspection.client_secret));
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let basic = HeaderValue::from_str(&basic).map_err(|e| e.to_string())?;
        let form = [("token", token), ("token_type_hint", "access_token")];
        let fetched = self.fetcher().await?.post_form(Some(basic), &form).await.map_err(|e| e.to_string())?;
        if fetched.status != StatusCode::OK {
            return Err(format!("introspection was answered with status {}", fetched.status.as_u16()));
        }
        unique::object(&fetched.body).map_err(|e| e.to_string())
    }

    /// Asks about `token`, which came from `source`.
    pub(crate) async fn check(&self, token: &str, source: Option<Source<'_>>) -> Result<Verified, Refusal> {
        let key = digest_of(token);
        let not_active = || Refusal::invalid("the token is not in force, or not any more");
        if self.none().get(&key).is_some_and(|at| at.elapsed() < NONE_KEPT) {
            return Err(not_active());
        }
        let unavailable = |why: String| Refusal::unavailable(format!("{}: {why}", self.settings.issuer));
        let _turn = self.turns.take(source).await.map_err(|refusal| match refusal {
            Some(slowed) => slowed,
            None => unavailable("as many tokens are being asked about as may at a time".to_owned()),
        })?;
        // Another request may have found out meanwhile.
        if self.none().get(&key).is_some_and(|at| at.elapsed() < NONE_KEPT) {
            return Err(not_active());
        }
        let claims = self.ask(token).await.map_err(unavailable)?;
        if claims.get("active") != Some(&Value::Bool(true)) {
            self.remember(key);
            return Err(not_active());
        }
        if claims.get("iss").is_some_and(|issuer| issuer != self.settings.issuer.as_str()) {
            return Err(Refusal::invalid("the token's issuer is none that this hub knows"));
        }
        let times = Times::check(&claims, now(), self.leeway)?;
        let audiences = match claims.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(all)) => all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => return Err(Refusal::invalid("the token does not say what it is for")),
        };
        let id = claims.get("jti").and_then(Value::as_str).map(str::to_owned);
        let bound_to = bound_to(&claims)?;
        let principal = claims::principal(&self.settings.claims, &self.settings.issuer, claims)?;
        grant(&principal, &self.scopes)?;
        Ok(Verified {
            id,
            issued_at: times.issued_at,
            expires_at: Some(times.expires_at),
            leeway: self.leeway,
            audience: audience(&self.settings, audiences),
            bound_to,
            keep_s: Some(self.introspection.keep_s),
            ..Verified::new(principal)
        })
    }

    fn none(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Instant>> {
        self.none.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, key: Digest) {
        let mut none = self.none();
        if none.len() >= NONE_MAX {
            none.retain(|_, at| at.elapsed() < NONE_KEPT);
        }
        if none.len() < NONE_MAX {
            none.insert(key, Instant::now());
        }
    }
}

/// `application/x-www-form-urlencoded`, of one text.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
