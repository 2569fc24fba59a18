//! Calls that were recorded, a line of JSON each, as another policy would decide them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use omni_auth::{Access, Action, Arguments, Hints, Policy, Surroundings};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::policy::cases::Who;

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

/// What changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// How often each, by its line: how it is decided now, by whom, what, and how then.
    pub(super) lines: BTreeMap<String, usize>,
    pub(super) changed: usize,
    pub(super) calls: usize,
}

/// Decides every call of the file by both policies.
pub(super) fn compare(path: &Path, now: &Policy, then: &Policy) -> Result<Changes> {
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
        let call: Recorded<'_> = serde_json::from_str(&line).with_context(at)?;
        changes.calls += 1;
        let change = call.change(now, then).with_context(at)?;
        let Some(change) = change else { continue };
        changes.changed += 1;
        if changes.lines.len() < CHANGES_MAX || changes.lines.contains_key(&change) {
            *changes.lines.entry(change).or_default() += 1;
        }
    }
}

impl Recorded<'_> {
    fn change(self, now: &Policy, then: &Policy) -> Result<Option<String>> {
        let action = Action::parse(&self.action).with_context(|| format!("there is no action `{}`", self.action))?;
        let What { server, name, hints } = &self.resource;
        let principal = self.principal.principal("anonymous");
        let access = Access {
            hints: Hints {
                read_only: hints.read_only,
                destructive: hints.destructive && !hints.read_only,
                idempotent: hints.idempotent,
                open_world: hints.open_world,
            },
            around: Surroundings {
                address: self.context.address,
                client: self.context.client.as_deref(),
                revision: self.context.revision.as_deref().unwrap_or(omni_protocol::Version::LATEST.as_str()),
            },
            arguments: self.arguments.map_or(Arguments::Unknown, |text| Arguments::Given(Some(text.get()))),
            ..Access::new(&principal, action, server, name)
        };
        let (before, after) = (now.decide(&access), then.decide(&access));
        let (before, after) = (before.as_str(), after.as_str());
        let shown = if server.is_empty() { name.clone() } else { format!("{server}:{name}") };
        Ok((before != after).then(|| format!("{before:<8} {principal} {} {shown} -> {after}", action.as_str())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_auth::Policy;
    use omni_auth::settings::PolicySettings;

    use super::compare;

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
        let changes = compare(&file, &now, &then).unwrap();
        assert_eq!((changes.calls, changes.changed), (3, 2));
        let line = changes.lines.iter().next().unwrap();
        assert_eq!((line.0.as_str(), *line.1), ("allow    token:ann tools/call git:git_push -> deny", 2));
        assert_eq!(compare(&file, &now, &now).unwrap().changed, 0);
        // What cannot be read is named by its line, and never passed over.
        for wrong in ["{", r#"{"action":"tools/call"}"#, &push.replace("tools/call", "tools/cal")] {
            std::fs::write(&file, format!("{push}\n{wrong}\n")).unwrap();
            let why = format!("{:#}", compare(&file, &now, &then).unwrap_err());
            assert!(why.contains("calls.jsonl:2"), "{why}");
        }
    }
}
