//! How the hub shows Vault who it is: a token, an AppRole, or a token of Kubernetes or another issuer; renewed while it runs.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::held::Held;
use crate::providers::vault::api::{Api, refused};
use crate::redact::Redactor;
use crate::settings::VaultSettings;

/// Bytes of a file that holds a token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What is to be renewed is renewed when a third of its time is left.
pub(crate) fn renew_at(began: Instant, lasts: Duration) -> Instant {
    began + lasts / 3 * 2
}

/// What the hub shows.
enum Shown {
    Token(Held),
    AppRole {
        role_id: String,
        secret_id: Held,
    },
    /// A token of somebody else's, read anew for each login: whoever issues it renews the file.
    Jwt {
        mount: String,
        role: String,
        file: Option<PathBuf>,
        token: Option<Held>,
    },
}

/// A token in use.
struct InUse {
    token: Held,
    /// When it is to be renewed; `None` where it does not run out, or cannot be renewed.
    due: Option<Instant>,
}

/// The hub's login.
pub(crate) struct Login {
    shown: Shown,
    in_use: Mutex<Option<InUse>>,
    /// What the hub shows to Vault is masked as what it gets.
    redactor: Arc<Redactor>,
}

impl Login {
    pub(crate) fn build(settings: &VaultSettings, redactor: Arc<Redactor>) -> Result<Self, String> {
        let one = || "secrets.vault: give one of `token`, `role_id` with `secret_id`, `kubernetes`, `jwt`".to_owned();
        let approle = settings.role_id.as_ref().zip(settings.secret_id.as_ref());
        if approle.is_none() && (settings.role_id.is_some() || settings.secret_id.is_some()) {
            return Err("secrets.vault: give `token`, or `role_id` and `secret_id`".to_owned());
        }
        let shown = match (&settings.token, approle, &settings.kubernetes, &settings.jwt) {
            (Some(token), None, None, None) => Shown::Token(Held::new(token.clone())),
            (None, Some((role, secret)), None, None) => {
                Shown::AppRole { role_id: role.clone(), secret_id: Held::new(secret.clone()) }
            }
            (None, None, Some(kubernetes), None) => Shown::Jwt {
                mount: kubernetes.mount.trim_matches('/').to_owned(),
                role: kubernetes.role.clone(),
                file: Some(kubernetes.token_file.clone()),
                token: None,
            },
            (None, None, None, Some(jwt)) if jwt.token.is_some() != jwt.token_file.is_some() => Shown::Jwt {
                mount: jwt.mount.trim_matches('/').to_owned(),
                role: jwt.role.clone(),
                file: jwt.token_file.clone(),
                token: jwt.token.clone().map(Held::new),
            },
            (None, None, None, Some(_)) => return Err("secrets.vault.jwt: give `token` or `token_file`".to_owned()),
            _ => return Err(one()),
        };
        match &shown {
            Shown::Token(token) => redactor.learn("vault token", token)?,
            Shown::AppRole { secret_id, .. } => redactor.learn("vault secret_id", secret_id)?,
            Shown::Jwt { token: Some(token), .. } => redactor.learn("vault jwt", token)?,
            Shown::Jwt { token: None, .. } => {}
        }
        Ok(Self { shown, in_use: Mutex::default(), redactor })
    }

    /// Whether a refused token can be replaced by another.
    pub(crate) const fn can_be_made_anew(&self) -> bool {
        !matches!(self.shown, Shown::Token(_))
    }

    /// A token, another one than the one that was `refused`.
    pub(crate) async fn token(&self, api: &Api, refused: Option<&Held>) -> Result<Held, Fault> {
        // Held over the login on purpose: those who come meanwhile wait for the one login and have its token.
        let mut in_use = self.in_use.lock().await;
        let other = |one: &&InUse| refused.is_none_or(|refused| refused.expose() != one.token.expose());
        if let Some(one) = in_use.as_ref().filter(other) {
            return Ok(one.token.clone());
        }
        *in_use = None;
        let made = match &self.shown {
            Shown::Token(token) => {
                let lasts = lifetime_of(api, token).await;
                InUse { token: token.clone(), due: lasts.map(|lasts| renew_at(Instant::now(), lasts)) }
            }
            Shown::AppRole { role_id, secret_id } => {
                let body = json!({ "role_id": role_id, "secret_id": secret_id.expose() });
                self.log_in(api, "/v1/auth/approle/login", &body).await?
            }
            Shown::Jwt { mount, role, file, token } => {
                let jwt = match (token, file) {
                    (Some(token), _) => token.clone(),
                    (None, Some(file)) => {
                        let file = file.clone();
                        let read = tokio::task::spawn_blocking(move || token_of(&file)).await;
                        read.map_err(|_| Fault::Unreachable("stopped: the hub ends".to_owned()))??
                    }
                    (None, None) => return Err(Fault::Unusable("has no token to be shown".to_owned())),
                };
                self.redactor.learn("vault jwt", &jwt).map_err(Fault::Unusable)?;
                let body = json!({ "role": role, "jwt": jwt.expose() });
                self.log_in(api, &format!("/v1/auth/{mount}/login"), &body).await?
            }
        };
        Ok(in_use.insert(made).token.clone())
    }

    async fn log_in(&self, api: &Api, path: &str, body: &Value) -> Result<InUse, Fault> {
        let began = Instant::now();
        let (status, body) = api.ask(Method::POST, path, None, Some(body)).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let auth = &answer["auth"];
        match auth["client_token"].as_str() {
            Some(token) if status == StatusCode::OK => {
                let token = Held::new(token.to_owned());
                self.redactor.learn("vault token", &token).map_err(Fault::Unusable)?;
                let lasts = auth["lease_duration"].as_u64().filter(|lasts| *lasts > 0).map(Duration::from_secs);
                Ok(InUse { token, due: lasts.map(|lasts| renew_at(began, lasts)) })
            }
            _ => Err(refused(status, &body)),
        }
    }

    /// Renews the token when it is time. One that is not renewed any more is let go of before it is refused.
    pub(crate) async fn renew(&self, api: &Api) {
        let mut in_use = self.in_use.lock().await;
        let Some(one) = in_use.as_mut().filter(|one| one.due.is_some_and(|due| due <= Instant::now())) else { return };
        let began = Instant::now();
        let asked = api.ask(Method::POST, "/v1/auth/token/renew-self", Some(&one.token), None).await;
        let lasts = match asked {
            Ok((StatusCode::OK, body)) => {
                let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                answer["auth"]["lease_duration"].as_u64().filter(|lasts| *lasts > 1)
            }
            Ok(_) => None,
            // It does not answer: asked again at the next look.
            Err(_) => return,
        };
        match (lasts, &self.shown) {
            (Some(lasts), _) => one.due = Some(renew_at(began, Duration::from_secs(lasts))),
            (None, Shown::Token(_)) => {
                one.due = None;
                tracing::warn!("Vault does not renew the hub's token: give it another one before it runs out");
            }
            (None, _) => *in_use = None,
        }
    }

    /// The token that was used last.
    pub(crate) async fn last(&self) -> Option<Held> {
        self.in_use.lock().await.as_ref().map(|one| one.token.clone())
    }

    /// Gives the token of a login of the hub's own back.
    pub(crate) async fn revoke(&self, api: &Api) {
        let Some(one) = self.in_use.lock().await.take() else { return };
        if self.can_be_made_anew() {
            let _it_runs_out = api.ask(Method::POST, "/v1/auth/token/revoke-self", Some(&one.token), None).await;
        }
    }
}

/// For how long a token lasts that can be renewed.
async fn lifetime_of(api: &Api, token: &Held) -> Option<Duration> {
    let (status, body) = api.ask(Method::GET, "/v1/auth/token/lookup-self", Some(token), None).await.ok()?;
    let answer: Value = serde_json::from_slice(&body).ok().filter(|_| status == StatusCode::OK)?;
    let lasts = answer["data"]["ttl"].as_u64().filter(|lasts| *lasts > 0)?;
    answer["data"]["renewable"].as_bool().filter(|renewable| *renewable)?;
    Some(Duration::from_secs(lasts))
}

/// The text of a file that holds a token, as systems mount and renew them.
fn token_of(file: &Path) -> Result<Held, Fault> {
    let unusable = |why: String| Fault::Unusable(format!("cannot be logged in to: {}: {why}", file.display()));
    let mut text = Zeroizing::new(String::with_capacity(TOKEN_BYTES_MAX));
    let opened = File::open(file).map_err(|error| unusable(error.to_string()))?;
    opened.take(TOKEN_BYTES_MAX as u64).read_to_string(&mut text).map_err(|error| unusable(error.to_string()))?;
    match text.trim() {
        "" => Err(unusable("is empty".to_owned())),
        token => Ok(Held::new(token.to_owned())),
    }
}
