//! Policies: files of chance are read or refused, patterns cover the same under both their names, no spelling of a URI gets
//! past a rule, and what is listed is what could be called.

use std::sync::LazyLock;

use omni_auth::settings::{PolicySettings, PolicySource};
use omni_auth::{Access, Action, Arguments, Policy};
use omni_types::{Pattern, Principal};

use crate::pieces::Pieces;

const RULES: &str = r#"
    permit(principal, action == Action::"tools/call", resource)
    when { context.arguments.hasTag("path") && context.arguments.getTag("path") like "/srv/*" };
    forbid(principal, action, resource)
    when { context.numbers.hasTag("n") && context.numbers.getTag("n") * 2 > 10 };
"#;

static POLICY: LazyLock<Option<Policy>> = LazyLock::new(|| {
    let source = PolicySource { path: "rules.cedar".into(), text: RULES.to_owned() };
    let settings = PolicySettings {
        allow: vec!["pub:*".to_owned()],
        deny: vec!["*:file:///etc/*".to_owned()],
        sources: vec![source],
        ..PolicySettings::default()
    };
    Policy::build(&settings).ok()
});

pub(crate) fn run(data: &[u8]) {
    let Some(policy) = &*POLICY else { panic!("no policy") };
    let mut pieces = Pieces::new(data);
    let (server, name) = (pieces.text(), pieces.text());
    let arguments = pieces.rest_text();
    let principal = Principal::local("fuzz");
    for action in [Action::CallTool, Action::ReadResource, Action::GetPrompt] {
        let listed = Access::new(&principal, action, server, name);
        let called = Access { arguments: Arguments::Given(Some(arguments)), ..listed };
        let (listed, called) = (policy.decide(&listed), policy.decide(&called));
        assert!(listed.is_possible() || !called.is_possible(), "{action:?} {server:?} {name:?} {arguments:?}");
    }
    for spelling in ["file:///etc/", "FILE:///etc/", "file:///srv/../etc/", "file:///%65tc/"] {
        let uri = format!("{spelling}{name}");
        let read = Access::new(&principal, Action::ReadResource, "pub", &uri);
        assert!(name.contains("..") || name.contains('%') || !policy.decide(&read).is_possible(), "{uri:?}");
    }
    if let (Ok(one), Ok(other)) = (Pattern::parse(&format!("a:{name}")), Pattern::parse(&format!("a__{name}"))) {
        assert_eq!(one.matches("a", server), other.matches("a", server), "{name:?} {server:?}");
    }
    // Cedar's own parser and ours of what stands around it.
    let source = PolicySource { path: "chance.cedar".into(), text: arguments.to_owned() };
    let settings = PolicySettings { sources: vec![source], ..PolicySettings::default() };
    if let Err(faults) = Policy::build(&settings) {
        assert!(!faults.is_empty(), "refused without a reason");
        faults.iter().for_each(|fault| drop(fault.to_string()));
    }
}
