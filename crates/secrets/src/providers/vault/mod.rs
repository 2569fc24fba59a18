//! Vault and OpenBao: the key-value engine, version 1 and 2, and engines that make credentials for a while.

mod api;
mod lease;
mod login;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::fault::Fault;
use crate::held::Held;
use crate::providers::vault::api::{Api, refused};
use crate::providers::vault::lease::Leases;
use crate::providers::vault::login::Login;
use crate::redact::Redactor;
use crate::settings::VaultSettings;

/// Between two looks whether something has to be renewed.
const TICK: Duration = Duration::from_secs(1);
/// For all renewals of one look.
const RENEWAL: Duration = Duration::from_secs(10);

/// One server and its engines.
pub(crate) struct Vault {
    api: Api,
    mount: String,
    is_v2: bool,
    /// Mounts of engines that make credentials.
    dynamic: Vec<String>,
    login: Login,
    leases: Leases,
    /// Whether somebody renews what runs out.
    is_kept: AtomicBool,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.api.authority())
    }
}

impl Vault {
    /// Reads the settings; `Err` says what is wrong with which.
    pub(crate) fn build(settings: &VaultSettings, redactor: Arc<Redactor>) -> Result<Self, String> {
        let dynamic = settings.dynamic.iter().map(|mount| mount.trim_matches('/').to_owned()).collect();
        Ok(Self {
            api: Api::build(settings)?,
            mount: settings.mount.trim_matches('/').to_owned(),
            is_v2: settings.version == 2,
            dynamic,
            login: Login::build(settings, redactor)?,
            leases: Leases::default(),
            is_kept: AtomicBool::new(false),
        })
    }

    /// The value kept at `path` of the engine: the JSON of all its fields.
    pub(crate) async fn value(self: &Arc<Self>, path: &str) -> Result<Held, Fault> {
        let engine_path = self.engine_path(path)?;
        if let Some(held) = self.leases.live(&engine_path) {
            return Ok(held);
        }
        self.keep();
        let mut token = self.login.token(&self.api, None).await?;
        let mut answer = self.api.ask(Method::GET, &engine_path, Some(&token), None).await?;
        if answer.0 == StatusCode::FORBIDDEN && self.login.can_be_made_anew() {
            // The token may have run out: one login more tells.
            token = self.login.token(&self.api, Some(&token)).await?;
            answer = self.api.ask(Method::GET, &engine_path, Some(&token), None).await?;
        }
        match answer {
            (StatusCode::OK, body) if self.is_dynamic(path) => self.leases.begin(&engine_path, &body),
            (StatusCode::OK, body) => self.data(&body),
            (StatusCode::NOT_FOUND, _) => Err(Fault::Missing(format!("there is nothing at {engine_path}"))),
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

    fn is_dynamic(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        self.dynamic.iter().any(|mount| path.strip_prefix(mount.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }

    /// `db/main` as the engine's API names it; the API's own forms are taken as well, as files of others write them.
    fn engine_path(&self, path: &str) -> Result<String, Fault> {
        if path.split('/').any(|step| step == ".." || step == ".") {
            return Err(Fault::Unusable("is not asked for a path with `..` in it".to_owned()));
        }
        if self.is_dynamic(path) {
            return Ok(format!("/v1/{}", path.trim_start_matches('/')));
        }
        Ok(format!("/v1/{}/{}{}", self.mount, if self.is_v2 { "data/" } else { "" }, self.inner(path)))
    }

    /// The path within the engine.
    fn inner<'a>(&self, path: &'a str) -> &'a str {
        let path = path.trim_start_matches('/');
        let inner = path.strip_prefix(&self.mount).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
        if self.is_v2 { inner.strip_prefix("data/").unwrap_or(inner) } else { inner }
    }

    /// The one form of all the ways to write a path.
    pub(crate) fn normal(&self, path: &str) -> String {
        let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
        let plain = steps.join("/");
        if self.is_dynamic(&plain) { plain } else { self.inner(&plain).to_owned() }
    }

    /// From now on tokens and credentials are renewed before they run out, for as long as somebody has this.
    fn keep(self: &Arc<Self>) {
        if self.is_kept.swap(true, Ordering::SeqCst) {
            return;
        }
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let Some(vault) = weak.upgrade() else { return };
                // What is not renewed now is tried again at the next look.
                let _later = tokio::time::timeout(RENEWAL, vault.renew()).await;
            }
        });
    }

    async fn renew(&self) {
        self.login.renew(&self.api).await;
        for (path, lease) in self.leases.due() {
            let Ok(token) = self.login.token(&self.api, None).await else { return };
            self.leases.renew(&self.api, &token, &path, &lease).await;
        }
    }

    /// Gives back what was made for this hub alone: credentials, and the token of its own login.
    pub(crate) async fn close(&self) {
        let Some(token) = self.login.last().await else { return };
        self.leases.revoke(&self.api, &token).await;
        self.login.revoke(&self.api).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::Vault;
    use crate::fault::Fault;
    use crate::settings::VaultSettings;

    fn build(settings: serde_json::Value) -> Result<Vault, String> {
        let settings: VaultSettings = serde_json::from_value(settings).unwrap();
        Vault::build(&settings, Arc::default())
    }

    #[test]
    fn sec_1_paths_are_the_engines() {
        let settings = serde_json::json!({ "url": "http://127.0.0.1:1", "token": "t", "dynamic": ["database/"] });
        let mut vault = build(settings).unwrap();
        for path in ["db/main", "/db/main", "secret/db/main", "secret/data/db/main"] {
            assert_eq!(vault.engine_path(path).unwrap(), "/v1/secret/data/db/main", "{path}");
            assert_eq!(vault.normal(path), "db/main", "{path}");
        }
        assert_eq!(vault.engine_path("database/creds/app").unwrap(), "/v1/database/creds/app");
        assert_eq!(vault.engine_path("databases/x").unwrap(), "/v1/secret/data/databases/x");
        vault.is_v2 = false;
        assert_eq!(vault.engine_path("db/main").unwrap(), "/v1/secret/db/main");
        assert!(matches!(vault.engine_path("../sys/seal"), Err(Fault::Unusable(_))));
    }

    #[test]
    fn sec_5_a_token_goes_nowhere_in_clear_and_one_way_of_login_is_given() {
        let token = |url: &str| build(serde_json::json!({ "url": url, "token": "t" }));
        assert!(token("http://127.0.0.1:8200").is_ok() && token("https://vault:8200").is_ok());
        assert!(token("http://vault:8200").unwrap_err().contains("write https://"));
        let with = |more: serde_json::Value| {
            let mut settings = serde_json::json!({ "url": "https://h" });
            settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            build(settings)
        };
        for more in [
            serde_json::json!({ "role_id": "r", "secret_id": "s-e-c-r-e-t" }),
            serde_json::json!({ "kubernetes": { "role": "hub" } }),
            serde_json::json!({ "jwt": { "role": "hub", "token_file": "/run/token" } }),
        ] {
            assert!(with(more.clone()).is_ok(), "{more}");
        }
        for more in [
            serde_json::json!({}),
            serde_json::json!({ "token": "t", "kubernetes": { "role": "hub" } }),
            serde_json::json!({ "role_id": "r" }),
            serde_json::json!({ "jwt": { "role": "hub" } }),
            serde_json::json!({ "ca_file": "/nowhere/ca.pem", "token": "t" }),
        ] {
            assert!(with(more.clone()).is_err(), "{more}");
        }
    }
}
