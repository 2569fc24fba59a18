//! Calls that were recorded, a line of JSON each, as another policy would decide them: as the audit log exports them, or written
//! by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use omni_auth::{Access, Action, Arguments, Hints, Policy, Surroundings};
use omni_types::Principal;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::policy::cases::{Kind, Who};

/// Bytes of one line.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Different changes that are told apart.
const CHANGES_MAX: usize = 10_000;

/// One call. Other members may stand beside these: a record knows more than a policy asks.
#[derive(Debug, Deserialize)]
struct Recorded<'a> {
    principal: Who,
    action: String,
    resource: What,
    /// The arguments; where they were not recorded, whether any call could be allowed is what is decided.
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(default)]
    context: From,
}

#[derive(Debug, Deserialize)]
struct What {
    #[serde(default)]
    server: String,
    name: String,
    #[serde(flatten)]
    hints: Said,
}

/// What the server said of a tool; what it said nothing about is taken for the worse.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Said {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool,
}

impl Default for Said {
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    address: Option<IpAddr>,
    client: Option<String>,
    revision: Option<String>,
}

/// An event as `omni audit export --format jsonl` writes it, as far as a policy asks.
#[derive(Debug, Deserialize)]
struct Exported {
    kind: String,
    action: Option<String>,
    phase: Option<String>,
    server: Option<String>,
    name: Option<String>,
    principal_kind: Option<String>,
    principal: Option<String>,
    issuer: Option<String>,
    tenant: Option<String>,
    oauth_client: Option<String>,
    address: Option<IpAddr>,
    client: Option<String>,
    revision: Option<String>,
    /// The text of the arguments, with `audit.arguments: true`.
    arguments: Option<String>,
}

/// What tells the two forms apart.
#[derive(Debug, Deserialize)]
struct Form {
    #[serde(default)]
    kind: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    principal: Option<serde_json::Value>,
}

/// A call, however it was written down.
struct Call {
    principal: Principal,
    action: Action,
    server: String,
    name: String,
    hints: Said,
    from: From,
    arguments: Option<String>,
}

/// What changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// How often each, by its line: how it is decided now, by whom, what, and how then.
    pub(super) lines: BTreeMap<String, usize>,
    pub(super) changed: usize,
    pub(super) calls: usize,
    /// Events that are no calls that policy decides on, or whose caller nobody can read any more.
    pub(super) passed_over: usize,
    /// Callers whose roles and groups neither the log nor the file of principals says.
    pub(super) without_roles: BTreeSet<String>,
}

/// Decides every call of the file by both policies. The audit log says who called, and not with which roles and groups: those are
/// what `principals` says.
pub(super) fn compare(path: &Path, principals: &[Who], (now, then): (&Policy, &Policy)) -> Result<Changes> {
    let mut reader = BufReader::new(File::open(path).with_context(|| format!("{} cannot be read", path.display()))?);
    let (mut changes, mut line, mut number) = (Changes::default(), String::new(), 0);
    loop {
        line.clear();
        number += 1;
        let at = || format!("{}:{number}", path.display());
        if reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).with_context(at)? == 0 {
            return Ok(changes);
        }
        if line.len() as u64 == LINE_BYTES_MAX && !line.ends_with('\n') {
            bail!("{}: the line is longer than {LINE_BYTES_MAX} bytes", at());
        }
        if line.trim().is_empty() {
            continue;
        }
        let form: Form = serde_json::from_str(&line).with_context(at)?;
        let call = if form.kind.is_some() && !form.principal.is_some_and(|principal| principal.is_object()) {
            let exported: Exported = serde_json::from_str(&line).with_context(at)?;
            exported.call(principals, &mut changes.without_roles)
        } else {
            let recorded: Recorded<'_> = serde_json::from_str(&line).with_context(at)?;
            Some(recorded.call().with_context(at)?)
        };
        let Some(call) = call else {
            changes.passed_over += 1;
            continue;
        };
        changes.calls += 1;
        let Some(change) = call.change(now, then) else { continue };
        changes.changed += 1;
        if changes.lines.len() < CHANGES_MAX || changes.lines.contains_key(&change) {
            *changes.lines.entry(change).or_default() += 1;
        }
    }
}

impl Recorded<'_> {
    fn call(self) -> Result<Call> {
        let action = Action::parse(&self.action).with_context(|| format!("there is no action `{}`", self.action))?;
        let What { server, name, hints } = self.resource;
        let arguments = self.arguments.map(|text| text.get().to_owned());
        let principal = self.principal.principal("anonymous");
        Ok(Call { principal, action, server, name, hints, from: self.context, arguments })
    }
}

impl Exported {
    /// The call that it tells of; `None` for what is none, and for the record of a beginning, whose end has one of its own.
    fn call(self, principals: &[Who], without_roles: &mut BTreeSet<String>) -> Option<Call> {
        if self.kind != "call" || self.phase.as_deref() == Some("begun") {
            return None;
        }
        let action = Action::parse(self.action.as_deref()?)?;
        let kind = match self.principal_kind.as_deref()? {
            "local" => Kind::Local,
            "token" => Kind::Token,
            "key" => Kind::Key,
            "certificate" => Kind::Certificate,
            _ => return None,
        };
        let id = self.principal?;
        let known = principals.iter().find(|who| {
            let issuer = who.issuer.is_none() || who.issuer == self.issuer;
            who.kind == kind && who.id.as_ref() == Some(&id) && issuer
        });
        if known.is_none() && kind != Kind::Local {
            without_roles.insert(format!("{}:{id}", kind.as_str()));
        }
        let who = Who {
            kind,
            id: Some(id),
            issuer: self.issuer,
            tenant: self.tenant,
            client: self.oauth_client,
            ..known.cloned().unwrap_or_default()
        };
        // It says name and version, of which policies see the name.
        let client = self.client.map(|text| match text.rsplit_once(' ') {
            Some((name, version)) if version.contains(|c: char| c.is_ascii_digit()) => name.to_owned(),
            _ => text,
        });
        // What the log cut off is no whole text any more, and the rest would decide by what it does not say.
        let arguments = self.arguments.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
        Some(Call {
            principal: who.principal("anonymous"),
            action,
            server: self.server.unwrap_or_default(),
            name: self.name?,
            hints: Said::default(),
            from: From { address: self.address, client, revision: self.revision },
            arguments,
        })
    }
}

impl Call {
    fn change(&self, now: &Policy, then: &Policy) -> Option<String> {
        let Self { principal, action, server, name, hints, from, arguments } = self;
        let access = Access {
            hints: Hints {
                read_only: hints.read_only,
                destructive: hints.destructive && !hints.read_only,
                idempotent: hints.idempotent,
                open_world: hints.open_world,
            },
            around: Surroundings {
                address: from.address,
                client: from.client.as_deref(),
                revision: from.revision.as_deref().unwrap_or(omni_protocol::Version::LATEST.as_str()),
            },
            arguments: arguments.as_deref().map_or(Arguments::Unknown, |text| Arguments::Given(Some(text))),
            ..Access::new(principal, *action, server, name)
        };
        let (before, after) = (now.decide(&access), then.decide(&access));
        let (before, after) = (before.as_str(), after.as_str());
        let shown = if server.is_empty() { name.clone() } else { format!("{server}:{name}") };
        (before != after).then(|| format!("{before:<8} {principal} {} {shown} -> {after}", action.as_str()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_auth::Policy;
    use omni_auth::settings::PolicySettings;

    use super::compare;
    use crate::cli::policy::cases::Who;

    fn policy(yaml: &str) -> Policy {
        let settings: PolicySettings = serde_saphyr::from_str(yaml).unwrap();
        Policy::build(&settings).unwrap()
    }

    #[test]
    fn tool_2_recorded_calls_are_decided_by_both_policies() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls.jsonl");
        let ann = r#"{"kind":"token","id":"ann","roles":["developer"]}"#;
        let push = format!(
            r#"{{"principal":{ann},"action":"tools/call","resource":{{"server":"git","name":"git_push"}},"arguments":{{}}}}"#
        );
        let read = r#"{"principal":{"kind":"local","id":"me"},"action":"resources/read","resource":{"server":"files","name":"file:///a"},"outcome":"success"}"#;
        std::fs::write(&file, format!("{push}\n{push}\n\n{read}\n")).unwrap();
        let now = policy("roles: { developer: { allow: [git] } }");
        let then = policy("deny: ['git:git_push']\nroles: { developer: { allow: [git] } }");
        let changes = compare(&file, &[], (&now, &then)).unwrap();
        assert_eq!((changes.calls, changes.changed), (3, 2));
        let line = changes.lines.iter().next().unwrap();
        assert_eq!((line.0.as_str(), *line.1), ("allow    token:ann tools/call git:git_push -> deny", 2));
        assert_eq!(compare(&file, &[], (&now, &now)).unwrap().changed, 0);
        // What cannot be read is named by its line, and never passed over.
        for wrong in ["{", r#"{"action":"tools/call"}"#, &push.replace("tools/call", "tools/cal")] {
            std::fs::write(&file, format!("{push}\n{wrong}\n")).unwrap();
            let why = format!("{:#}", compare(&file, &[], (&now, &then)).unwrap_err());
            assert!(why.contains("calls.jsonl:2"), "{why}");
        }
    }
    /// TOOL-7: the lines that the audit log exports, with the roles that it does not say.
    #[test]
    fn tool_7_events_of_the_audit_log_are_decided_by_both_policies() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.jsonl");
        let call = |who: &str, more: &str| {
            format!(
                r#"{{"index":1,"time":"2026-01-01T00:00:00Z","kind":"call","action":"tools/call","outcome":"success","server":"git",
                "name":"git_push","principal_kind":"token","principal":"{who}","issuer":"https://idp","client":"cli 1.0"{more}}}"#
            )
            .replace('\n', "")
        };
        let lines = [
            call("ann", ""),
            call("bob", ""),
            call("ann", r#","phase":"begun""#),
            call("ann", r#","arguments":"{\"branch\":\"main\"}""#),
            call("ann", r#","arguments":"{\"branch\":\"ma""#),
            r#"{"index":2,"time":"t","kind":"authentication","action":"login","outcome":"success","principal":"ann"}"#.to_owned(),
            r#"{"index":3,"time":"t","kind":"call","action":"tasks/get","outcome":"success","principal_kind":"local","principal":"x"}"#.to_owned(),
            r#"{"index":4,"time":"t","kind":"call","action":"tools/call","name":"x","unreadable":{"personal":"erased"}}"#.to_owned(),
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        let now = policy("roles: { developer: { allow: [git] } }");
        let then = policy("deny: ['git:git_push']\nroles: { developer: { allow: [git] } }");
        let ann: Who = serde_json::from_str(r#"{"kind":"token","id":"ann","roles":["developer"]}"#).unwrap();
        let changes = compare(&file, &[ann], (&now, &then)).unwrap();
        assert_eq!((changes.calls, changes.changed, changes.passed_over), (4, 3, 4), "{changes:?}");
        assert_eq!(changes.without_roles.iter().collect::<Vec<_>>(), ["token:bob"]);
        let none = compare(&file, &[], (&now, &then)).unwrap();
        assert_eq!((none.changed, none.without_roles.len()), (0, 2), "without roles nobody may anything");
    }
}
