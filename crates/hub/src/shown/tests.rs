//! A profile takes away and never gives.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use omni_auth::settings::PolicySettings;
use omni_auth::{Access, Action, Hints, Policy};
use omni_profiles::{Library, ProfileName, Source};
use omni_types::Principal;
use proptest::prelude::{Strategy, any, proptest};
use proptest::{prop_assert, prop_assert_eq, sample::select};

use super::{Shown, decide};

fn shown(front: &str) -> Shown {
    let source = Source {
        name: ProfileName::parse("p").unwrap(),
        file: Path::new("p.md").to_owned(),
        text: format!("---\n{front}\n---\n"),
        rank: 0,
    };
    let library = Library::build(vec![source], Vec::new(), &indexmap::IndexMap::new());
    assert_eq!(library.faults(), []);
    Shown::Profile(Arc::clone(library.find("p").unwrap()))
}

fn patterns() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(select(vec!["*", "a", "b", "a:x", "b:*", "a:x*", "*:y", "c__z"]), 0..4)
}

/// CFG-8, TRB-1: what a profile does not show is not had by another spelling of its URI.
#[test]
fn cfg_8_every_spelling_of_a_uri_is_judged() {
    let policy = Policy::build(&PolicySettings { allow: vec!["*".to_owned()], ..PolicySettings::default() }).unwrap();
    let principal = Principal::local("ann");
    let possible = |front: &str, uri: &str| {
        decide(&policy, &shown(front), &Access::new(&principal, Action::ReadResource, "fs", uri)).is_possible()
    };
    let (deny, only) = ("policy: {deny: ['fs:file:///secret/*']}", "resources: ['fs:file:///pub/*']");
    assert!(possible(deny, "file:///pub/x") && possible(only, "file:///pub/x"));
    for uri in
        ["file:///secret/x", "file:///%73ecret/x", "FILE:///secret/x", "file:///a/../secret/x", "file:///secret//x"]
    {
        assert!(!possible(deny, uri), "{uri}");
    }
    assert!(!possible(only, "file:///pub/../secret") && !possible(only, "file:///pub/%2e%2e/secret"));
}

proptest! {
    /// CFG-8: whatever policy and profile say, what the profile allows policy allows.
    #[test]
    fn cfg_8_no_profile_widens_what_policy_allows(
        (allow, deny, approve) in (patterns(), patterns(), patterns()),
        (tools, servers, denied) in (patterns(), patterns(), patterns()),
        (read_only, is_reading) in (any::<bool>(), any::<bool>()),
        (server, name) in (select(vec!["a", "b", "c"]), select(vec!["x", "xy", "y", "z"])),
        action in select(vec![Action::CallTool, Action::GetPrompt, Action::ReadResource]),
    ) {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let settings =
            PolicySettings { allow: texts(&allow), deny: texts(&deny), approve: texts(&approve), ..PolicySettings::default() };
        let policy = Policy::build(&settings).unwrap();
        let narrow = serde_json::json!({ "deny": denied, "read_only": read_only });
        let front = format!(
            "tools: {}\nservers: {}\npolicy: {narrow}",
            serde_json::json!(tools), serde_json::json!(servers),
        );
        let principal = Principal::local("ann");
        let hints = Hints { read_only: is_reading, ..Hints::default() };
        let about = Access { hints, ..Access::new(&principal, action, server, name) };
        let (with, without) = (decide(&policy, &shown(&front), &about), policy.decide(&about));
        prop_assert!(!with.is_possible() || with == without, "{front}: {with:?} {without:?}");
        prop_assert_eq!(decide(&policy, &Shown::Everything, &about), without);
        prop_assert!(!decide(&policy, &Shown::Gone(ProfileName::parse("p").unwrap()), &about).is_possible());
    }
}
