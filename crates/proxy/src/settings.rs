//! The `servers` section of `omni.yaml` as it is written: raw, documented, unknown keys refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resilience::is_default;
pub use crate::resilience::{BreakerSettings, BulkheadSettings, ServerDefaults};

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
    /// Address of a server: `http://` or `https://` (Streamable HTTP, or HTTP+SSE of revision 2024-11-05), `ws://` or
    /// `wss://` (WebSocket).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is spoken at `url`. Left out, it is found out: `websocket` by the address, `sse` where Streamable HTTP is
    /// refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<RemoteTransport>,
    /// Headers sent with every request to `url`, e.g. `Authorization`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Those of `env` that hold references to secrets, as they are written: values are put in when a process is started.
    #[serde(skip_deserializing, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(skip)]
    pub secret_env: BTreeMap<String, String>,
    /// Those of `headers` that hold references to secrets, as they are written.
    #[serde(skip_deserializing, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(skip)]
    pub secret_headers: BTreeMap<String, String>,
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
    /// Seconds a call may last at all, whatever progress its server tells of (1 to 86,400).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub longest_s: Option<u64>,
    /// When it is left alone because its calls keep failing.
    #[serde(skip_serializing_if = "is_default")]
    pub breaker: BreakerSettings,
    /// How many calls it may hold.
    #[serde(skip_serializing_if = "is_default")]
    pub bulkhead: BulkheadSettings,
    /// Size of the pool of connections, or of processes where `sharing: multiplied`.
    #[serde(skip_serializing_if = "is_default")]
    pub pool: PoolSettings,
}

/// What is spoken at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemoteTransport {
    /// Streamable HTTP, revision 2025-03-26 and later.
    Http,
    /// HTTP+SSE of revision 2024-11-05.
    Sse,
    /// WebSocket, one message a frame, subprotocol `mcp`.
    WebSocket,
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
    /// Seconds to connect or to start, handshake included, or for a call to wait for a connection (30 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub connect_timeout_s: Option<u64>,
    /// Seconds after which an idle connection or process is closed.
    #[schemars(range(min = 1, max = 86_400))]
    pub idle_timeout_s: u64,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { initial: 5, size: 10, max: 20, connect_timeout_s: None, idle_timeout_s: 300 }
    }
}

impl ServerSettings {
    /// The entry, with `defaults` where it says nothing itself.
    #[must_use]
    pub fn or(&self, defaults: &ServerDefaults) -> Self {
        let ServerDefaults { timeout_s, longest_s, connect_timeout_s, breaker, bulkhead } =
            self.resilience().or(defaults);
        let pool = PoolSettings { connect_timeout_s, ..self.pool };
        Self { timeout_s, longest_s, breaker, bulkhead, pool, ..self.clone() }
    }

    /// What it says of deadlines, breaker and bulkhead.
    pub(crate) const fn resilience(&self) -> ServerDefaults {
        ServerDefaults {
            timeout_s: self.timeout_s,
            longest_s: self.longest_s,
            connect_timeout_s: self.pool.connect_timeout_s,
            breaker: self.breaker,
            bulkhead: self.bulkhead,
        }
    }
}
