//! `omni policy explain WHO WHAT`: how a decision comes about.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use omni_auth::{Access, Action, Arguments, Decision, Hints};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::policy::cases::{Kind, Who, split};
use crate::cli::policy::load::policy_of;
use crate::cli::say::say;

/// Explain how a decision comes about.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// `local:NAME`, `token:ID`, `key:ID` or `certificate:ID`.
    who: String,
    /// `server:tool`, or another thing with --action; for `admin/…` just `hub`.
    what: String,
    /// What is done.
    #[arg(long, default_value = "tools/call")]
    action: String,
    /// A role that the login gives. May be repeated, as the next two.
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    #[arg(long = "permission", value_name = "NAME")]
    permissions: Vec<String>,
    #[arg(long)]
    issuer: Option<String>,
    #[arg(long)]
    tenant: Option<String>,
    #[arg(long)]
    client: Option<String>,
    /// The claims as a JSON object.
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
    /// The arguments of the call as a JSON object; without it, whether any call could be allowed.
    #[arg(long, value_name = "JSON")]
    arguments: Option<String>,
    /// The tool changes nothing, as its server says.
    #[arg(long)]
    read_only: bool,
    /// The tool destroys nothing, as its server says.
    #[arg(long)]
    harmless: bool,
    /// Print a JSON object for programs.
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let policy = policy_of(context)?;
        let action = Action::parse(&self.action).with_context(|| {
            let all: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
            format!("there is no action `{}`; there are {}", self.action, all.join(", "))
        })?;
        let (kind, id) = match self.who.split_once(':') {
            Some(("local", id)) => (Kind::Local, id),
            Some(("token" | "user", id)) => (Kind::Token, id),
            Some(("key", id)) => (Kind::Key, id),
            Some(("certificate", id)) => (Kind::Certificate, id),
            _ => bail!("`{}` is written local:NAME, token:ID, key:ID or certificate:ID", self.who),
        };
        let claims =
            self.claims.as_deref().map(serde_json::from_str).transpose().context("--claims takes an object")?;
        let who = Who {
            kind,
            id: None,
            issuer: self.issuer,
            tenant: self.tenant,
            client: self.client,
            groups: self.groups,
            roles: self.roles,
            permissions: self.permissions,
            claims: claims.unwrap_or_default(),
        };
        let principal = who.principal(id);
        let of_hub = Access::new(&principal, action, "", &self.what);
        let (server, name) = if Access::is_of_server(&of_hub) { split(&self.what)? } else { ("", self.what.as_str()) };
        let access = Access {
            hints: Hints {
                read_only: self.read_only,
                destructive: !self.read_only && !self.harmless,
                ..Hints::default()
            },
            arguments: self.arguments.as_deref().map_or(Arguments::Unknown, |text| Arguments::Given(Some(text))),
            ..Access::new(&principal, action, server, name)
        };
        let explained = policy.explain(&access);
        let possible = explained.decision.is_possible();
        if self.json {
            let (policy, reason, needed) = why(&explained.decision);
            say!(
                "{:#}",
                json!({ "decision": explained.decision.as_str(), "policy": policy, "reason": reason, "needed": needed,
                    "roles": explained.roles, "permits": explained.permits, "forbids": explained.forbids,
                    "open": explained.open, "considered": explained.considered, "policies": explained.policies })
            );
        } else {
            show(&explained);
        }
        Ok(if possible { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn why(decision: &Decision) -> (Option<&str>, Option<&str>, Option<&str>) {
    match decision {
        Decision::Allow => (None, None, None),
        Decision::Approve(ask) => (Some(&ask.policy), Some(&ask.message), None),
        Decision::Deny(denial) => (denial.policy.as_deref(), Some(&denial.reason), Some(&denial.needed)),
    }
}

fn show(explained: &omni_auth::Explanation) {
    match &explained.decision {
        Decision::Deny(denial) => say!("deny: {denial}"),
        Decision::Approve(ask) => say!("approve: `{}` wants a person's word {}", ask.policy, ask.message),
        Decision::Allow => say!("allow"),
    }
    let list = |list: &[Arc<str>]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    for (name, values) in [
        ("roles", explained.roles.join(", ")),
        ("permit", list(&explained.permits)),
        ("forbid", list(&explained.forbids)),
        ("wait for arguments or the time", list(&explained.open)),
    ] {
        if !values.is_empty() {
            say!("  {name}: {values}");
        }
    }
    say!("  {} of {} policies concern this", explained.considered, explained.policies);
}
