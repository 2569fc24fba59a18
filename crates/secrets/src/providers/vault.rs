//! Vault and OpenBao: the key-value engine, version 1 and 2, by token or AppRole.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};
use omni_egress::{Client, PoolLimits, Target, collect};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::held::{Held, VALUE_BYTES_MAX};
use crate::redact::Redactor;
use crate::settings::VaultSettings;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 4;
/// After which a connection that nobody uses is closed.
const IDLE: Duration = Duration::from_secs(30);
/// To connect; the whole is bounded by who asks.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer: a value with what stands around it, escaped.
const ANSWER_BYTES_MAX: usize = 4 * VALUE_BYTES_MAX;
/// Bytes that stand for themselves in a path.
const PLAIN: &[u8] = b"-._~/";

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");

/// How the hub shows who it is.
enum Login {
    Token(Held),
    AppRole { role_id: String, secret_id: Held },
}

/// One server and its engine.
pub(crate) struct Vault {
    client: Client,
    mount: String,
    is_v2: bool,
    namespace: Option<HeaderValue>,
    login: Login,
    /// The token that a login gave; asked for anew when it is refused.
    token: Mutex<Option<Held>>,
    /// What the hub shows to Vault is masked as what it gets.
    redactor: Arc<Redactor>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.client.target().authority())
    }
}

impl Vault {
    /// Reads the settings; `Err` says what is wrong with which.
    pub(crate) fn build(settings: &VaultSettings, redactor: Arc<Redactor>) -> Result<Self, String> {
        let target = Target::parse(&settings.url).map_err(|error| format!("secrets.vault.url: {error}"))?;
        if !settings.url.starts_with("https://") && !is_here(&settings.url) {
            return Err("secrets.vault.url: a token does not go over the network in clear: write https://".to_owned());
        }
        let limits =
            PoolLimits { initial: 1, size: 1, max: CONNECTIONS_MAX, connect_timeout: CONNECT, idle_timeout: IDLE };
        let login = match (&settings.token, &settings.role_id, &settings.secret_id) {
            (Some(token), None, None) => Login::Token(Held::new(token.clone())),
            (None, Some(role), Some(secret)) => {
                Login::AppRole { role_id: role.clone(), secret_id: Held::new(secret.clone()) }
            }
            _ => return Err("secrets.vault: give `token`, or `role_id` and `secret_id`".to_owned()),
        };
        let shown = match &login {
            Login::Token(token) => ("vault token", token),
            Login::AppRole { secret_id, .. } => ("vault secret_id", secret_id),
        };
        redactor.learn(shown.0, shown.1)?;
        let namespace = settings.namespace.as_deref().map(HeaderValue::from_str).transpose();
        Ok(Self {
            client: Client::new(target, limits),
            mount: settings.mount.trim_matches('/').to_owned(),
            is_v2: settings.version == 2,
            namespace: namespace.map_err(|_| "secrets.vault.namespace: cannot stand in a header".to_owned())?,
            login,
            token: Mutex::default(),
            redactor,
        })
    }

    /// The value kept at `path` of the engine: the JSON of all its fields.
    pub(crate) async fn value(&self, path: &str) -> Result<Held, Fault> {
        let path = self.engine_path(path)?;
        let mut answer = self.ask(Method::GET, &path, Some(self.token(false).await?), Bytes::new()).await?;
        if answer.0 == StatusCode::FORBIDDEN && matches!(self.login, Login::AppRole { .. }) {
            // The token may have run out: one login more tells.
            answer = self.ask(Method::GET, &path, Some(self.token(true).await?), Bytes::new()).await?;
        }
        match answer {
            (StatusCode::OK, body) => self.data(&body),
            (StatusCode::NOT_FOUND, _) => Err(Fault::Missing(format!("there is nothing at {path}"))),
            (status, body) => Err(refused(status, &body)),
        }
    }

    fn data(&self, body: &[u8]) -> Result<Held, Fault> {
        let unusable = || Fault::Unusable("answered with something that is no secret of this engine".to_owned());
        let mut answer: Value = serde_json::from_slice(body).map_err(|_| unusable())?;
        let data = if self.is_v2 { answer["data"]["data"].take() } else { answer["data"].take() };
        if !data.is_object() {
            return Err(unusable());
        }
        Ok(Held::new(data.to_string()))
    }

    /// `db/main` as the engine's API names it; the API's own forms are taken as well, as files of others write them.
    fn engine_path(&self, path: &str) -> Result<String, Fault> {
        if path.split('/').any(|step| step == ".." || step == ".") {
            return Err(Fault::Unusable("is not asked for a path with `..` in it".to_owned()));
        }
        let path = path.trim_start_matches('/');
        let inner = path.strip_prefix(&format!("{}/", self.mount)).unwrap_or(path);
        let inner = if self.is_v2 { inner.strip_prefix("data/").unwrap_or(inner) } else { inner };
        Ok(format!("/v1/{}/{}{inner}", self.mount, if self.is_v2 { "data/" } else { "" }))
    }

    /// The one form of all the ways to write a path.
    pub(crate) fn normal(&self, path: &str) -> String {
        let shortest: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
        self.engine_path(&shortest.join("/")).unwrap_or_else(|_| path.to_owned())
    }

    /// A token; `anew` where the one before was refused.
    async fn token(&self, anew: bool) -> Result<Held, Fault> {
        let (role_id, secret_id) = match &self.login {
            Login::Token(token) => return Ok(token.clone()),
            Login::AppRole { role_id, secret_id } => (role_id, secret_id),
        };
        // Held over the login on purpose: those who come meanwhile wait for the one login and have its token.
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|_| !anew) {
            return Ok(token.clone());
        }
        *kept = None;
        let body = json!({ "role_id": role_id, "secret_id": secret_id.expose() }).to_string();
        let (status, body) = self.ask(Method::POST, "/v1/auth/approle/login", None, body.into()).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        match answer["auth"]["client_token"].as_str() {
            Some(token) if status == StatusCode::OK => {
                let token = Held::new(token.to_owned());
                self.redactor.learn("vault token", &token).map_err(Fault::Unusable)?;
                Ok(kept.insert(token).clone())
            }
            _ => Err(refused(status, &body)),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<Held>,
        body: Bytes,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), Fault> {
        let unreachable = |why: String| Fault::Unreachable(format!("cannot be asked: {why}"));
        let path: PathAndQuery = encoded(path).parse().map_err(|_| unreachable("its path is none".to_owned()))?;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        headers.extend(self.namespace.clone().map(|namespace| (NAMESPACE, namespace)));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose())
                .map_err(|_| unreachable("its token cannot stand in a header".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        let answer = self.client.at(path).send(method, headers, body).await.map_err(|e| unreachable(e.to_string()))?;
        let (head, body) = answer.into_parts();
        let body = collect(body, ANSWER_BYTES_MAX).await.map_err(|error| unreachable(error.to_string()))?;
        Ok((head.status, Zeroizing::new(body.to_vec())))
    }
}

/// Why it refused, in its own words where it has some: they tell of paths and policies, not of values.
fn refused(status: StatusCode, body: &[u8]) -> Fault {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = answer["errors"][0].as_str().map(|said| said.trim().chars().take(200).collect::<String>());
    let said = said.filter(|said| !said.is_empty()).map(|said| format!(": {said}")).unwrap_or_default();
    let hint = match status {
        StatusCode::FORBIDDEN => "; look at the token and its policies",
        StatusCode::SERVICE_UNAVAILABLE => "; it is sealed or starting",
        _ => "",
    };
    Fault::Unreachable(format!("answered {}{said}{hint}", status.as_u16()))
}

/// Whether an address is of this machine.
fn is_here(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn encoded(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _to_a_string = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Vault, encoded, is_here};
    use crate::fault::Fault;
    use crate::settings::VaultSettings;

    fn build(settings: &VaultSettings) -> Result<Vault, String> {
        Vault::build(settings, std::sync::Arc::default())
    }

    fn settings(url: &str) -> VaultSettings {
        serde_json::from_value(serde_json::json!({ "url": url, "token": "t" })).unwrap()
    }

    #[test]
    fn sec_1_paths_are_the_engines() {
        let mut vault = build(&settings("http://127.0.0.1:8200")).unwrap();
        for path in ["db/main", "/db/main", "secret/db/main", "secret/data/db/main"] {
            assert_eq!(vault.engine_path(path).unwrap(), "/v1/secret/data/db/main", "{path}");
        }
        vault.is_v2 = false;
        assert_eq!(vault.engine_path("db/main").unwrap(), "/v1/secret/db/main");
        assert!(matches!(vault.engine_path("../sys/seal"), Err(Fault::Unusable(_))));
        assert_eq!(encoded("/v1/a b?#%ü"), "/v1/a%20b%3F%23%25%C3%BC");
    }

    #[test]
    fn sec_5_a_token_goes_nowhere_in_clear() {
        for (url, here) in [
            ("http://127.0.0.1:8200", true),
            ("http://[::1]:8200/", true),
            ("http://localhost", true),
            ("http://vault:8200", false),
            ("http://127.0.0.1.evil.example", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
            assert_eq!(build(&settings(url)).is_ok(), here, "{url}");
        }
        assert!(build(&settings("https://vault:8200")).is_ok());
        let neither: VaultSettings = serde_json::from_str(r#"{"url":"https://h"}"#).unwrap();
        assert!(build(&neither).unwrap_err().contains("give `token`"));
        assert!(
            !format!("{:?}", settings("https://h")).contains('t')
                || !format!("{:?}", settings("https://h")).contains("token")
        );
    }
}
