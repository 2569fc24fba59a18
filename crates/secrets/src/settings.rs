//! The `secrets` section of `omni.yaml` as it is written: raw, documented, unknown keys refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::keychain::SERVICE;
use crate::reference::Source;

/// Where Docker mounts secrets.
const FOLDER: &str = "/run/secrets";
/// Seconds that a value is kept.
const TTL_S: u64 = 300;

/// Where secrets are kept, and who gets which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsSettings {
    /// Where `${SECRET:name}` is looked for first.
    pub provider: ProviderName,
    /// Where it is looked for when the first has no such secret, or fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ProviderName>,
    /// The folder of `${FILE:name}`; absolute names stand for themselves.
    pub folder: PathBuf,
    /// Seconds for which a value is kept before it is asked for again (1 to 86,400).
    #[schemars(range(min = 1, max = 86_400))]
    pub ttl_s: u64,
    /// Seconds for one provider to answer (1 to 60).
    #[schemars(range(min = 1, max = 60))]
    pub timeout_s: u64,
    /// Vault or OpenBao.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultSettings>,
    /// The operating system's keychain.
    #[serde(skip_serializing_if = "KeychainSettings::is_default")]
    pub keychain: KeychainSettings,
    /// What holds for single secrets, by the name that stands in their references.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, NameSettings>,
}

impl Default for SecretsSettings {
    fn default() -> Self {
        Self {
            provider: ProviderName::Store,
            fallback: None,
            folder: PathBuf::from(FOLDER),
            ttl_s: TTL_S,
            timeout_s: 5,
            vault: None,
            keychain: KeychainSettings::default(),
            names: BTreeMap::new(),
        }
    }
}

/// The operating system's keychain: the Secret Service where the hub has a session bus, else the kernel's keyring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeychainSettings {
    /// The service under which `${KEYCHAIN:account}` is looked for.
    pub service: String,
}

impl Default for KeychainSettings {
    fn default() -> Self {
        Self { service: SERVICE.to_owned() }
    }
}

impl KeychainSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What holds for one secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NameSettings {
    /// Where `${SECRET:name}` is looked for, one after the other, instead of `provider` and `fallback`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Vec<ProviderName>>,
    /// The servers that may have it. Left out, every server in whose entry it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<Vec<String>>,
    /// The profiles that may have it. Left out, none: their text is written by others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiles: Option<Vec<String>>,
}

/// A place where secrets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    /// The hub's own encrypted store: `omni secret set`.
    #[default]
    Store,
    /// The hub's environment.
    Env,
    /// Files in `folder`.
    File,
    /// Vault or OpenBao.
    Vault,
    /// The operating system's keychain.
    Keychain,
}

impl ProviderName {
    /// The provider's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Env => "env",
            Self::File => "file",
            Self::Vault => "vault",
            Self::Keychain => "keychain",
        }
    }

    /// The provider that a reference names; `None` where the configuration says, or there is none in this hub.
    pub(crate) const fn of(source: Source) -> Option<Self> {
        match source {
            Source::Env => Some(Self::Env),
            Source::File => Some(Self::File),
            Source::Store => Some(Self::Store),
            Source::Vault => Some(Self::Vault),
            Source::Keychain => Some(Self::Keychain),
            Source::Secret => None,
        }
    }
}

/// Vault or OpenBao: its key-value engine, version 1 or 2, and engines that make credentials. One of `token`, `role_id` with
/// `secret_id`, `kubernetes` and `jwt` logs in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VaultSettings {
    /// Its address: `https://`, or `http://` on this machine.
    pub url: String,
    /// Where the key-value engine is mounted.
    #[serde(default = "mount")]
    pub mount: String,
    /// The engine's version, 1 or 2.
    #[serde(default = "version")]
    #[schemars(range(min = 1, max = 2))]
    pub version: u64,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The token, e.g. `${ENV:VAULT_TOKEN}`; or `role_id` and `secret_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The AppRole's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// The AppRole's secret id, e.g. `${ENV:VAULT_SECRET_ID}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_id: Option<String>,
    /// Login by the token of the pod that the hub runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesLogin>,
    /// Login by a token of another issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtLogin>,
    /// Mounts of engines that make credentials for a while, e.g. `database`: `${VAULT:database/creds/app:username}`. They are
    /// renewed while the hub runs, and given back when it stops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dynamic: Vec<String>,
    /// The file of the root certificates (PEM) that its certificate is to lead to, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// Login by the token of the pod that the hub runs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KubernetesLogin {
    /// The role in Vault.
    pub role: String,
    /// Where the method is mounted.
    #[serde(default = "kubernetes_mount")]
    pub mount: String,
    /// The file of the pod's token, read anew for each login.
    #[serde(default = "kubernetes_token")]
    pub token_file: PathBuf,
}

/// Login by a token of another issuer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtLogin {
    /// The role in Vault.
    pub role: String,
    /// Where the method is mounted.
    #[serde(default = "jwt_mount")]
    pub mount: String,
    /// The token, e.g. `${ENV:HUB_JWT}`; or `token_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The file of the token, read anew for each login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl std::fmt::Debug for JwtLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtLogin").field("role", &self.role).field("mount", &self.mount).finish_non_exhaustive()
    }
}

fn kubernetes_mount() -> String {
    "kubernetes".to_owned()
}

fn kubernetes_token() -> PathBuf {
    PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token")
}

fn jwt_mount() -> String {
    "jwt".to_owned()
}

fn mount() -> String {
    "secret".to_owned()
}

const fn version() -> u64 {
    2
}

impl std::fmt::Debug for VaultSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultSettings").field("url", &self.url).field("mount", &self.mount).finish_non_exhaustive()
    }
}
