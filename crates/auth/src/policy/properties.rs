//! What holds of every set of policies: looking only at some of them, before the arguments are known, and out of the cache,
//! decides as Cedar does that looks at all of them; and a list shows what some call may be allowed of.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use omni_types::{Identity, Principal, PrincipalKind};
use proptest::prelude::*;

use super::index::Rule;
use super::reads::Reads;
use super::settings::{PolicySettings, PolicySource};
use super::subject::Subject;
use super::thing::Thing;
use super::verdict::Matter;
use super::{Access, Action, Arguments, Denial, Hints, Policy, Surroundings};

const PRINCIPALS: &[&str] = &[
    "principal",
    "principal is User",
    r#"principal in Role::"a""#,
    r#"principal in Role::"b""#,
    r#"principal == User::"ann""#,
    r#"principal is LocalUser in Group::"g""#,
];
const ACTIONS: &[&str] = &[
    "action",
    r#"action in Action::"use""#,
    r#"action == Action::"tools/call""#,
    r#"action in [Action::"prompts/get", Action::"resources/read"]"#,
];
const THINGS: &[&str] = &[
    "resource",
    "resource is Tool",
    r#"resource in Server::"s""#,
    r#"resource == Tool::"s:t""#,
    r#"resource in Pattern::"s:t*""#,
    r#"resource in Pattern::"?""#,
    r#"resource is Prompt in Server::"s""#,
];
const CONDITIONS: &[&str] = &[
    "",
    r#"when { context.arguments.hasTag("x") && context.arguments.getTag("x") == "1" }"#,
    r#"unless { context.arguments.hasTag("y") }"#,
    r#"when { context.numbers.hasTag("x") && context.numbers.getTag("x") + 9223372036854775806 > 0 }"#,
    "when { context.loopback }",
    r#"when { context.revision == "2026-07-28" }"#,
    r#"when { principal.hasTag("c") && principal.getTag("c").contains("v") }"#,
    r#"when { principal in Role::"b" }"#,
    r#"when { action == Action::"tools/call" }"#,
    r#"when { resource has readOnly && resource.readOnly }"#,
    r#"when { resource has server && resource.server == "q" }"#,
    r#"when { resource has name && resource.name like "t*" }"#,
    r#"when { resource in Pattern::"s:t*" || principal == User::"ann" }"#,
    r#"unless { resource is Prompt }"#,
    r#"when { resource in Server::"s" || context.now > datetime("2020-01-01") }"#,
];

fn any_policy() -> impl Strategy<Value = String> {
    let part = |list: &'static [&'static str]| prop::sample::select(list);
    let approval = prop::sample::select(&["", "", r#"@approval("?") "#][..]);
    let effect = prop::sample::select(&["permit", "permit", "forbid"][..]);
    (approval, effect, part(PRINCIPALS), part(ACTIONS), part(THINGS), part(CONDITIONS)).prop_filter_map(
        "a scope that Cedar knows can never hold",
        |(approval, effect, principal, action, thing, condition)| {
            let text = format!("{approval}{effect}({principal}, {action}, {thing}) {condition};");
            let source = PolicySource { path: "p".into(), text: text.clone() };
            let settings = PolicySettings { sources: vec![source], ..PolicySettings::default() };
            Policy::build(&settings).is_ok().then_some(text)
        },
    )
}

fn any_principal() -> impl Strategy<Value = Principal> {
    let kinds = vec![PrincipalKind::LocalUser, PrincipalKind::Token, PrincipalKind::ApiKey];
    let some = |names: &'static [&'static str]| prop::sample::subsequence(names, 0..=names.len());
    (prop::sample::select(kinds), prop::sample::select(&["ann", "bob"][..]), some(&["a", "b"]), any::<[bool; 2]>())
        .prop_map(|(kind, id, roles, [group, claim])| {
            let claims = if claim { serde_json::json!({ "c": ["v"] }) } else { serde_json::json!({}) };
            Principal::build(Identity {
                roles: roles.into_iter().map(str::to_owned).collect(),
                groups: if group { vec!["g".to_owned()] } else { Vec::new() },
                claims: claims.as_object().unwrap().clone(),
                ..Identity::new(kind, id)
            })
        })
}

/// All rules, and Cedar alone.
fn plainly(policy: &Policy, access: &Access<'_>) -> &'static str {
    let Arguments::Given(arguments) = access.arguments else { panic!("a call has arguments") };
    let subject = Subject::of(access.principal, &policy.roles);
    let thing = Thing::of(access, access.name, &policy.index.patterns);
    let matter = Matter { access, name: access.name, subject: &subject, thing: &thing };
    let question = matter.question(Reads::EVERYTHING).unwrap();
    let rules: Vec<&Arc<Rule>> = policy.index.rules.iter().collect();
    let refusal = Denial { policy: None, reason: String::new(), needed: String::new() };
    match question.ask_all(&rules, access, arguments) {
        Ok(outcome) => outcome.decision(|| refusal.clone()).as_str(),
        Err(_) => "deny",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn tool_2_looking_at_some_policies_decides_as_looking_at_all(
        policies in prop::collection::vec(any_policy(), 0..10),
        principals in prop::collection::vec(any_principal(), 1..4),
        read_only in any::<bool>(),
    ) {
        let source = PolicySource { path: "p".into(), text: policies.join("\n") };
        let settings = PolicySettings { allow: vec!["q".into()], sources: vec![source], ..PolicySettings::default() };
        let policy = Policy::build(&settings).unwrap();
        for principal in &principals {
            for action in [Action::CallTool, Action::GetPrompt, Action::ReadResource] {
                for (server, name) in [("s", "t"), ("s", "x"), ("q", "tx")] {
                    for revision in ["2026-07-28", "2025-11-25"] {
                        let listed = Access {
                            hints: Hints { read_only, ..Hints::default() },
                            around: Surroundings { revision, ..Surroundings::default() },
                            ..Access::new(principal, action, server, name)
                        };
                        let mut possible = false;
                        for arguments in ["{}", r#"{"x":1}"#, r#"{"x":"1","y":2}"#, r#"{"x":2}"#] {
                            let access = Access { arguments: Arguments::Given(Some(arguments)), ..listed };
                            let decision = policy.decide(&access);
                            prop_assert_eq!(decision.as_str(), plainly(&policy, &access), "{} {:?}", principal, access);
                            possible |= decision.is_possible();
                        }
                        // Listing equals calling: what some call may be allowed of is listed; and what is listed may be
                        // called, unless that is for arguments or the time to say.
                        let is_listed = policy.decide(&listed).is_possible();
                        prop_assert!(is_listed || !possible, "{} {:?}", principal, listed);
                        let settled = policy.explain(&listed).open.is_empty();
                        prop_assert!(!settled || is_listed == possible, "{} {:?}", principal, listed);
                    }
                }
            }
        }
    }
}
