//! The hub's own tools, by which a client sees profiles and chooses one (rows CFG-1 and CFG-2).

use omni_auth::{Access, Action, Decision, Hints, Policy, Surroundings};
use omni_protocol::ListKind;
use omni_types::Principal;
use serde_json::{Value, json};

use crate::access::access;
use crate::scope::Scope;
use crate::shown::{Shown, decide};

/// By what policies call the hub where they speak of its own tools (`omni__apply_profile`).
const OWNER: &str = "omni";

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnTool {
    /// Chooses a profile for who calls.
    Apply,
    /// Lists profiles.
    List,
    /// Gives one profile.
    Get,
    /// The same as `Apply` by the name and arguments of the system before this one.
    ApplyConfig,
    /// The same as `List`.
    ListConfigs,
    /// What applies.
    Applied,
}

const ALL: [OwnTool; 6] =
    [OwnTool::Apply, OwnTool::List, OwnTool::Get, OwnTool::ApplyConfig, OwnTool::ListConfigs, OwnTool::Applied];

impl OwnTool {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply_profile",
            Self::List => "list_profiles",
            Self::Get => "get_profile",
            Self::ApplyConfig => "apply_claude_config",
            Self::ListConfigs => "list_claude_configs",
            Self::Applied => "get_applied_config",
        }
    }

    const fn chooses(self) -> bool {
        matches!(self, Self::Apply | Self::ApplyConfig)
    }

    /// Those that `scope` has, in a hub that has profiles or not. At a profile's own path there is nothing to choose.
    pub(crate) fn of(scope: &Scope, has_profiles: bool) -> impl Iterator<Item = Self> {
        ALL.into_iter().filter(move |tool| match scope {
            Scope::All => has_profiles,
            Scope::Profile(_) => has_profiles && !tool.chooses(),
            Scope::One(_) => false,
        })
    }

    /// The question whether `principal` may call it.
    pub(crate) fn about<'a>(self, principal: &'a Principal, around: Surroundings<'a>) -> Access<'a> {
        let hints = Hints { read_only: !self.chooses(), destructive: false, idempotent: true, open_world: false };
        Access { hints, around, ..access(principal, Action::CallTool, ListKind::Tools, (OWNER, self.name())) }
    }

    /// Whether `principal` may see it: where a person's word is wanted for it, it cannot be called, since none is asked for these.
    pub(crate) fn is_shown(self, policy: &Policy, principal: &Principal, around: Surroundings<'_>) -> bool {
        matches!(decide(policy, &Shown::Everything, &self.about(principal, around)), Decision::Allow)
    }

    /// As a list has it.
    pub(crate) fn text(self) -> String {
        let (description, properties, required): (&str, Value, Value) = match self {
            Self::Apply => (
                "Chooses the profile that applies to you at this endpoint, in every session: what you are told and which tools, \
                 prompts and resources you see. Without `name`, none applies any more.",
                json!({ "name": { "type": "string", "description": "One of list_profiles" } }),
                json!([]),
            ),
            Self::List => ("Lists the profiles and says which one applies.", json!({}), json!([])),
            Self::Get => (
                "Gives one profile: its text, what it narrows, its SHA-256.",
                json!({ "name": { "type": "string", "description": "One of list_profiles" } }),
                json!(["name"]),
            ),
            Self::ApplyConfig => (
                "Applies a profile by `profileName`, or by the path of its file. The same as apply_profile.",
                json!({
                    "profileName": { "type": "string" },
                    "filePath": { "type": "string" },
                    "autoApply": { "type": "boolean", "default": true },
                }),
                json!([]),
            ),
            Self::ListConfigs => ("Lists the profiles. The same as list_profiles.", json!({}), json!([])),
            Self::Applied => ("Gives the profile that applies.", json!({}), json!([])),
        };
        let mut schema = json!({ "type": "object", "properties": properties });
        if required != json!([]) {
            schema["required"] = required;
        }
        json!({
            "name": self.name(),
            "description": description,
            "inputSchema": schema,
            "annotations": {
                "readOnlyHint": !self.chooses(), "destructiveHint": false, "idempotentHint": true, "openWorldHint": false,
            },
        })
        .to_string()
    }
}
