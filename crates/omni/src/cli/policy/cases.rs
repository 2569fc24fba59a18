//! A file of cases: principals, and things that each of them might do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use omni_auth::{Access, Action, Arguments, Hints, Policy, Surroundings};
use omni_types::{Identity, Principal, PrincipalKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::read_file;

/// What stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cases {
    principals: BTreeMap<String, Who>,
    #[serde(default)]
    things: Vec<What>,
}

/// A principal.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Who {
    pub(super) kind: Kind,
    /// Its name, where that is another than the one in the file.
    pub(super) id: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) client: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) permissions: Vec<String>,
    pub(super) claims: Map<String, Value>,
}

/// How a principal is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Local,
    #[default]
    Token,
    Key,
    Certificate,
}

/// Something that might be done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct What {
    tool: Option<String>,
    prompt: Option<String>,
    resource: Option<String>,
    /// Of the hub itself: `admin/keys`.
    admin: Option<String>,
    #[serde(default, rename = "readOnly")]
    read_only: bool,
    #[serde(default = "yes")]
    destructive: bool,
    #[serde(default)]
    idempotent: bool,
    #[serde(default = "yes", rename = "openWorld")]
    open_world: bool,
    arguments: Option<Value>,
    #[serde(default)]
    from: From,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct From {
    address: Option<IpAddr>,
    client: Option<String>,
    revision: Option<String>,
}

const fn yes() -> bool {
    true
}

impl Kind {
    /// Its name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Token => "token",
            Self::Key => "key",
            Self::Certificate => "certificate",
        }
    }
}

impl Who {
    /// The principal, called `name` where it has no id of its own.
    pub(super) fn principal(self, name: &str) -> Principal {
        let kind = match self.kind {
            Kind::Local => PrincipalKind::LocalUser,
            Kind::Token => PrincipalKind::Token,
            Kind::Key => PrincipalKind::ApiKey,
            Kind::Certificate => PrincipalKind::Certificate,
        };
        Principal::build(Identity {
            kind,
            id: self.id.unwrap_or_else(|| name.to_owned()),
            issuer: self.issuer,
            tenant: self.tenant,
            client: self.client,
            groups: self.groups,
            roles: self.roles,
            permissions: self.permissions,
            claims: self.claims,
        })
    }
}

impl What {
    /// The action, the server and its thing.
    fn about(&self) -> Result<(Action, &str, &str)> {
        let (action, text) = match (&self.tool, &self.prompt, &self.resource, &self.admin) {
            (Some(tool), None, None, None) => (Action::CallTool, tool),
            (None, Some(prompt), None, None) => (Action::GetPrompt, prompt),
            (None, None, Some(resource), None) => (Action::ReadResource, resource),
            (None, None, None, Some(admin)) => {
                let action = Action::parse(admin).with_context(|| format!("there is no action `{admin}`"))?;
                return Ok((action, "", "hub"));
            }
            _ => bail!("a thing is one of `tool`, `prompt`, `resource` and `admin`"),
        };
        let (server, name) = split(text)?;
        Ok((action, server, name))
    }
}

/// `server:name` or `server__name`.
pub(super) fn split(text: &str) -> Result<(&str, &str)> {
    omni_protocol::split_qualified(text).with_context(|| format!("`{text}` is written `server:name`"))
}

impl Cases {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = match read_file(path) {
            Ok(text) => text,
            Err(problem) => bail!("{}: {}", path.display(), problem.message),
        };
        serde_saphyr::from_str(&text).with_context(|| format!("{}", path.display()))
    }

    /// Its principals, each by its own id or the name that it has in the file.
    pub(super) fn into_principals(self) -> Vec<Who> {
        self.principals.into_iter().map(|(name, who)| Who { id: who.id.clone().or(Some(name)), ..who }).collect()
    }

    /// Who may do what, a line each.
    pub(super) fn table(&self, policy: &Policy) -> Result<String> {
        let mut text = String::new();
        for (name, who) in &self.principals {
            let principal = who.clone().principal(name);
            for what in &self.things {
                let (action, server, thing) = what.about()?;
                let arguments = what.arguments.as_ref().map(Value::to_string);
                let access = Access {
                    hints: Hints {
                        read_only: what.read_only,
                        destructive: what.destructive && !what.read_only,
                        idempotent: what.idempotent,
                        open_world: what.open_world,
                    },
                    around: Surroundings {
                        address: what.from.address,
                        client: what.from.client.as_deref(),
                        revision: what.from.revision.as_deref().unwrap_or(omni_protocol::Version::LATEST.as_str()),
                    },
                    arguments: Arguments::Given(arguments.as_deref()),
                    ..Access::new(&principal, action, server, thing)
                };
                let decision = policy.decide(&access);
                let shown = if server.is_empty() { thing.to_owned() } else { format!("{server}:{thing}") };
                let with = arguments.map(|arguments| format!(" {arguments}")).unwrap_or_default();
                let _ = writeln!(text, "{:<8} {name} {} {shown}{with}", decision.as_str(), action.as_str());
            }
        }
        Ok(text)
    }
}
