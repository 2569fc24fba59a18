//! The `auth` and `policy` sections of `omni.yaml` as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::auth_settings::{AuthMode, AuthSettings};

/// What the local user may call. A pattern is `server:name` with `*` and `?`; `server` alone means `server:*`.
///
/// `deny` goes before `allow`; what neither names is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// Tools, prompts and resources that may be used.
    pub allow: Vec<String>,
    /// Tools, prompts and resources that may not, whatever `allow` says.
    pub deny: Vec<String>,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self { allow: vec!["*".to_owned()], deny: Vec::new() }
    }
}
