//! The `secrets` section of `omni.yaml` as it is written: raw, documented, unknown keys refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
            names: BTreeMap::new(),
        }
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
        }
    }

    /// The provider that a reference names; `None` where the configuration says, or there is none in this hub.
    pub(crate) const fn of(source: Source) -> Option<Self> {
        match source {
            Source::Env => Some(Self::Env),
            Source::File => Some(Self::File),
            Source::Store => Some(Self::Store),
            Source::Vault => Some(Self::Vault),
            Source::Secret | Source::Keychain => None,
        }
    }
}

/// Vault or OpenBao: its key-value engine, version 1 or 2.
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
