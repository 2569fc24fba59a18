//! The `servers` section of `omni.yaml` as it is written: raw, documented, unknown keys refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One entry under `servers`: exactly one of `command`, `url` or `builtin`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// The program of a stdio server, e.g. `npx`. Looked up in `PATH` unless it contains a slash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Arguments of `command`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The child's environment, beside `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `TERM`, `TMPDIR`, `TZ`, `LANG` and
    /// `LC_*`; the hub's other variables are not handed on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Working directory of `command`; relative paths are relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// Address of a Streamable HTTP server, `http://` or `https://`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Headers sent with every request to `url`, e.g. `Authorization`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// One of the servers inside this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builtin: Option<BuiltinSettings>,
    /// What it is for, shown in tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Not started and not listed while `true`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// How clients share the processes of a stdio server.
    #[serde(skip_serializing_if = "is_default")]
    pub sharing: Sharing,
    /// Seconds a call may stay without an answer or a sign of progress (1 to 86,400).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_s: Option<u64>,
    /// Size of the pool of connections, or of processes where `sharing: multiplied`.
    #[serde(skip_serializing_if = "is_default")]
    pub pool: PoolSettings,
}

/// How clients share the processes of a stdio server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// One process for all clients of one protocol revision, calls side by side on its one channel.
    #[default]
    Shared,
    /// As many processes as calls need, within `pool`; for servers without state that work on one call at a time.
    Multiplied,
    /// A process of its own for each client session; for servers that keep state.
    Session,
}

/// One of the servers inside this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum BuiltinSettings {
    /// Files below the given roots.
    Filesystem {
        /// Directories that may be seen; relative ones are relative to the configuration file.
        roots: Vec<PathBuf>,
        /// Whether files may be changed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        write: bool,
    },
    /// Git repositories.
    Git {
        /// The repositories; relative ones are relative to the configuration file.
        repositories: Vec<PathBuf>,
        /// Whether repositories may be changed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        write: bool,
    },
    /// One SQLite or PostgreSQL database.
    Database {
        /// `sqlite:FILE` or `postgres://…`.
        url: String,
        /// Whether data may be changed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        write: bool,
    },
}

/// Bounds of a pool (requirement POOL-1). `initial <= size <= max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PoolSettings {
    /// Opened at first use.
    #[schemars(range(min = 0, max = 1000))]
    pub initial: usize,
    /// Working size: what is above it is closed when it has been idle for some seconds.
    #[schemars(range(min = 1, max = 1000))]
    pub size: usize,
    /// Never more than this many; further calls wait.
    #[schemars(range(min = 1, max = 1000))]
    pub max: usize,
    /// Seconds to connect, or for a call to wait for its turn.
    #[schemars(range(min = 1, max = 3600))]
    pub connect_timeout_s: u64,
    /// Seconds after which an idle connection or process is closed.
    #[schemars(range(min = 1, max = 86_400))]
    pub idle_timeout_s: u64,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { initial: 5, size: 10, max: 20, connect_timeout_s: 30, idle_timeout_s: 300 }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
