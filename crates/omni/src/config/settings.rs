//! The whole of `omni.yaml` as it is written; each crate brings its own section.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::audit::AuditSettings;
use indexmap::IndexMap;
use omni_auth::settings::{AuthSettings, PolicySettings};
use omni_cache::settings::CacheSettings;
use omni_gateway::admin::AdminSettings;
use omni_gateway::settings::GatewaySettings;
use omni_hub::throttle::settings::ThrottleSettings;
use omni_profiles::settings::ProfilesSettings;
pub(crate) use omni_proxy::settings::{BuiltinSettings, PoolSettings, ServerDefaults, ServerSettings, Sharing};
use omni_screen::settings::{AnswersSettings, ValidationSettings};
use omni_secrets::settings::SecretsSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Configuration of Omni MCP Hub.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The MCP servers behind the hub, by name. Names start with a letter or digit, then letters, digits, `_` and `-`; at most
    /// 32 characters, no `__`, no `_` at the end: a tool is called `name__tool`.
    #[schemars(with = "BTreeMap<String, ServerSettings>")]
    pub(crate) servers: IndexMap<String, ServerSettings>,
    /// Deadlines, breaker and bulkhead of every server whose own entry says nothing else.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) server_defaults: ServerDefaults,
    /// Where and how clients are received.
    pub(crate) gateway: GatewaySettings,
    /// The admin API over the network, beside its Unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<AdminSettings>,
    /// How the hub tells who calls.
    pub(crate) auth: AuthSettings,
    /// How much may be asked for, and by whom.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) throttle: ThrottleSettings,
    /// What the local user may call.
    pub(crate) policy: PolicySettings,
    /// What is checked of what clients send.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) validation: ValidationSettings,
    /// What is checked of what servers answer.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) answers: AnswersSettings,
    /// What is kept to be given again without asking a server: resources, for as long as their servers allow.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) cache: CacheSettings,
    /// Profiles: what clients are told and shown at `/mcp/p/{profile}`. Without this section there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profiles: Option<ProfilesSettings>,
    /// Where secrets are kept, and which server gets which.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) secrets: SecretsSettings,
    /// Where the hub keeps what it must remember; relative paths are relative to this file. By default
    /// `$XDG_DATA_HOME/omni` or `~/.local/share/omni`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// What is written to the log.
    pub(crate) log: LogSettings,
    /// The audit log.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) audit: AuditSettings,
}

/// What is written to the log, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    /// The least important kind of line that is written.
    pub(crate) level: LogLevel,
    /// How a line looks.
    pub(crate) format: LogFormat,
}

/// How important a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// Only failures.
    Error,
    /// Also what may become one.
    Warn,
    /// Also what an operator wants to know.
    #[default]
    Info,
    /// Also each step of a call.
    Debug,
    /// Everything.
    Trace,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
