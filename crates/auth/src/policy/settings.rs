//! The `policy` section of `omni.yaml` as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::decision::Approver;

/// Who may do what. A pattern is `server:name` with `*` and `?`; `server` alone means `server:*`.
///
/// What nothing allows is denied. `deny` goes before everything, `approve` before `allow`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// Tools, prompts and resources that the local user may use: whoever runs the hub, over stdio or on this machine.
    /// Everybody else may do what their roles allow.
    pub allow: Vec<String>,
    /// Tools, prompts and resources that nobody may use, whatever anything else says.
    pub deny: Vec<String>,
    /// Tools, prompts and resources that are used only when a person approves the call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approve: Vec<String>,
    /// Who may approve what stands under `approve`.
    #[serde(skip_serializing_if = "is_default")]
    pub approver: Approver,
    /// Roles by name. `viewer`, `reviewer`, `developer` and `admin` are there without being written; to write one adds
    /// members to it, or says anew what it may do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, RoleSettings>,
    /// Files of Cedar policies, relative to this file. Each is read again when it changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// What stands in the files, in their order: filled in by whoever reads the configuration.
    #[serde(skip)]
    #[schemars(skip)]
    pub sources: Vec<PolicySource>,
}

/// A file of Cedar policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// The file.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// What a role may do, and who has it beside those whose login says so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoleSettings {
    /// Who has the role: `user:ID`, `group:NAME`, `permission:NAME`, `client:ID`, `key:NAME`, `certificate:NAME`,
    /// `tenant:NAME`, `local:NAME`, with `*` and `?`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Roles whose permissions this one has too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<String>,
    /// Tools, prompts and resources that the role may use. Of a role that is there anyway this takes the place of what it
    /// may do otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Tools, prompts and resources that the role may not use, whatever allows them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Tools, prompts and resources that the role uses only when a person approves the call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approve: Vec<String>,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            allow: vec!["*".to_owned()],
            deny: Vec::new(),
            approve: Vec::new(),
            approver: Approver::default(),
            roles: BTreeMap::new(),
            files: Vec::new(),
            sources: Vec::new(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
