//! Rules of `omni.yaml` written as Cedar: what most people need, so that they never write any.

use cedar_policy::{Policy, PolicyId};

use crate::policy::decision::Approver;
use crate::policy::fault::PolicyFault;
use crate::policy::settings::{PolicySettings, RoleSettings};
use crate::policy::words::Word;

/// What the roles may do that are there without being written.
const BUILT_IN: &[(&str, &[&str])] = &[
    ("viewer", &[LOOK, LOOK_TOOLS]),
    ("reviewer", &[LOOK, LOOK_TOOLS, HARMLESS_TOOLS, DECIDE]),
    ("developer", &[USE]),
    ("admin", &[EVERYTHING]),
];
const LOOK: &str = r#"permit(principal in ROLE, action in [Action::"prompts/get", Action::"resources/read", Action::"completion/complete"], resource);"#;
const LOOK_TOOLS: &str =
    r#"permit(principal in ROLE, action == Action::"tools/call", resource is Tool) when { resource.readOnly };"#;
const HARMLESS_TOOLS: &str =
    r#"permit(principal in ROLE, action == Action::"tools/call", resource is Tool) when { !resource.destructive };"#;
const DECIDE: &str =
    r#"permit(principal in ROLE, action in [Action::"admin/read", Action::"admin/approvals"], resource is Hub);"#;
const USE: &str = r#"permit(principal in ROLE, action in Action::"use", resource);"#;
const EVERYTHING: &str = "permit(principal in ROLE, action, resource);";

/// A policy as it is written in Cedar, with the name that a denial gives it.
pub(super) struct Written {
    pub(super) id: String,
    pub(super) text: String,
}

/// All rules of `settings`.
pub(super) fn written(settings: &PolicySettings) -> Vec<Written> {
    let mut all = Vec::new();
    list(&mut all, "policy.allow", &settings.allow, |pattern| rule("permit", "principal is LocalUser", pattern));
    // Whoever runs the hub may stop it, too.
    let local = format!(r#"permit(principal is LocalUser, action in {}, resource is Hub);"#, Word::Action.uid("admin"));
    all.push(Written { id: "local administration".to_owned(), text: local });
    list(&mut all, "policy.deny", &settings.deny, |pattern| rule("forbid", "principal", pattern));
    let approver = settings.approver;
    list(&mut all, "policy.approve", &settings.approve, |pattern| approval("principal", pattern, approver));
    for (name, role) in &settings.roles {
        of_role(&mut all, name, role, approver);
    }
    for (name, texts) in BUILT_IN {
        if settings.roles.get(*name).is_none_or(|role| role.allow.is_none()) {
            let role = Word::Role.uid(name).to_string();
            let one = |(at, text): (usize, &&str)| Written {
                id: format!("role {name} ({})", at + 1),
                text: text.replace("ROLE", &role),
            };
            all.extend(texts.iter().enumerate().map(one));
        }
    }
    all
}

fn of_role(all: &mut Vec<Written>, name: &str, role: &RoleSettings, approver: Approver) {
    let who = format!("principal in {}", Word::Role.uid(name));
    let key = |list: &str| format!("policy.roles.{name}.{list}");
    list(all, &key("allow"), role.allow.as_deref().unwrap_or_default(), |pattern| rule("permit", &who, pattern));
    list(all, &key("deny"), &role.deny, |pattern| rule("forbid", &who, pattern));
    list(all, &key("approve"), &role.approve, |pattern| approval(&who, pattern, approver));
}

fn list(all: &mut Vec<Written>, key: &str, patterns: &[String], text: impl Fn(&str) -> String) {
    let one = |(at, pattern): (usize, &String)| Written { id: format!("{key}[{at}]"), text: text(pattern) };
    all.extend(patterns.iter().enumerate().map(one));
}

fn rule(effect: &str, who: &str, pattern: &str) -> String {
    format!(r#"{effect}({who}, action in Action::"use", resource in {});"#, Word::Pattern.uid(pattern))
}

/// What demands an approval forbids what has none: so it counts whatever else allows the call.
fn approval(who: &str, pattern: &str, approver: Approver) -> String {
    let by = match approver {
        Approver::Caller => "caller",
        Approver::Admin => "admin",
    };
    format!("@approval(\"\")\n@approver(\"{by}\")\n{}", rule("forbid", who, pattern))
}

/// Reads what `written` wrote.
pub(super) fn parse(written: Vec<Written>, faults: &mut Vec<PolicyFault>) -> Vec<Policy> {
    let mut policies = Vec::with_capacity(written.len());
    for Written { id, text } in written {
        match Policy::parse(Some(PolicyId::new(&id)), &text) {
            Ok(policy) => policies.push(policy),
            Err(error) => faults.push(PolicyFault::key([], format!("{id}: {error}"))),
        }
    }
    policies
}
