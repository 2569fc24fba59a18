//! The `auth` section of `omni.yaml` as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the hub tells who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// Whom HTTP clients have to be.
    pub mode: AuthMode,
}

/// Whom HTTP clients have to be. (Over stdio the client is the user that started `omni`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// The user that runs the hub, shown by a token that `omni connect` writes for each client.
    #[default]
    Local,
    /// Anybody who can reach the address: on loopback alone, every program of every user of this machine.
    None,
}
