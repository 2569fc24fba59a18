//! What policies decide: rules of `omni.yaml`, Cedar files, roles, arguments, approvals.

#![allow(clippy::unwrap_used)]

use omni_types::{Identity, Principal, PrincipalKind};
use serde_json::json;

use super::settings::{PolicySettings, PolicySource};
use super::{Access, Action, Approver, Arguments, Decision, Hints, Policy, Surroundings};

fn policy(yaml: serde_json::Value, cedar: &str) -> Policy {
    let mut settings: PolicySettings = serde_json::from_value(yaml).unwrap();
    if !cedar.is_empty() {
        settings.sources.push(PolicySource { path: "test.cedar".into(), text: cedar.to_owned() });
    }
    Policy::build(&settings)
        .unwrap_or_else(|faults| panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

fn faults(yaml: serde_json::Value, cedar: &str) -> String {
    let mut settings: PolicySettings = serde_json::from_value(yaml).unwrap();
    settings.sources.push(PolicySource { path: "test.cedar".into(), text: cedar.to_owned() });
    Policy::build(&settings).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn user(id: &str, roles: &[&str]) -> Principal {
    Principal::build(Identity {
        issuer: Some("https://idp".to_owned()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..Identity::new(PrincipalKind::Token, id)
    })
}

fn call<'a>(principal: &'a Principal, server: &'a str, name: &'a str, arguments: &'a str) -> Access<'a> {
    Access {
        arguments: Arguments::Given((!arguments.is_empty()).then_some(arguments)),
        ..Access::new(principal, Action::CallTool, server, name)
    }
}

fn word(policy: &Policy, principal: &Principal, server: &str, name: &str) -> &'static str {
    policy.decide(&call(principal, server, name, "")).as_str()
}

fn denial(policy: &Policy, access: &Access<'_>) -> String {
    match policy.decide(access) {
        Decision::Deny(denial) => denial.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tool_2_deny_goes_before_allow_and_the_rest_is_denied() {
    let ann = Principal::local("ann");
    let allowed = |allow: &[&str], deny: &[&str], server: &str, name: &str| {
        word(&policy(json!({ "allow": allow, "deny": deny }), ""), &ann, server, name) == "allow"
    };
    assert!(allowed(&["*"], &[], "a", "b"));
    assert!(!allowed(&[], &[], "a", "b"));
    assert!(!allowed(&["*"], &["a:b"], "a", "b"));
    assert!(allowed(&["*"], &["a:b"], "a", "c"));
    assert!(allowed(&["a"], &[], "a", "x") && !allowed(&["a"], &[], "b", "x"));
    assert!(!allowed(&["*"], &["a__b"], "a", "b") && !allowed(&["*"], &["?:*"], "a", "b"));
}

#[test]
fn tool_7_a_denial_says_which_rule_and_what_to_do() {
    let ann = Principal::local("ann");
    let rules = policy(json!({ "deny": ["git:git_commit"] }), "");
    let why = denial(&rules, &call(&ann, "git", "git_commit", ""));
    assert!(why.contains("policy.deny[0] (`git:git_commit`) forbids local:ann tools/call"), "{why}");
    let why = denial(&policy(json!({ "allow": [] }), ""), &call(&ann, "git", "git_log", ""));
    assert!(why.contains("add `git:git_log` to policy.allow"), "{why}");
    let why = denial(&rules, &call(&user("bob", &[]), "git", "git_log", ""));
    assert!(why.contains("one of the roles admin, developer"), "{why}");
}

/// The default is for whoever runs the hub; somebody with a token of an identity provider is somebody else.
#[test]
fn auth_5_nobody_but_the_local_user_may_do_anything_by_default() {
    let rules = policy(json!({}), "");
    assert_eq!(word(&rules, &Principal::local("ann"), "a", "b"), "allow");
    for stranger in [
        user("ann", &[]),
        user("ann", &["Admin", "admin ", "role"]),
        Principal::build(Identity::new(PrincipalKind::ApiKey, "ann")),
        Principal::build(Identity::new(PrincipalKind::Certificate, "ann")),
    ] {
        assert_eq!(word(&rules, &stranger, "a", "b"), "deny", "{stranger}");
    }
}

#[test]
fn auth_5_roles_are_of_logins_and_of_members() {
    let rules = policy(
        json!({ "roles": {
            "developer": { "members": ["group:eng", "user:ann@*", "key:ci*", "local:root"], "deny": ["db:drop"] },
            "oncall": { "inherits": ["developer", "night"], "allow": ["pager"] },
            "night": { "inherits": ["oncall"], "allow": ["lamp"] },
        } }),
        "",
    );
    let group = Principal::build(Identity { groups: vec!["eng".into()], ..Identity::new(PrincipalKind::Token, "x") });
    let key = |id: &str, name: &str| {
        Principal::build(Identity { client: Some(name.into()), ..Identity::new(PrincipalKind::ApiKey, id) })
    };
    for (who, may) in [
        (&user("x", &["developer"]), "allow"),
        (&user("ann@example.com", &[]), "allow"),
        (&user("joann@example.com", &[]), "deny"),
        (&group, "allow"),
        (&key("k1", "ci-build"), "allow"),
        (&key("ci-1", "x"), "allow"),
        (&key("k1", "build"), "deny"),
        (&user("x", &["oncall"]), "allow"),
        (&user("x", &["night"]), "allow"),
    ] {
        assert_eq!(word(&rules, who, "git", "push"), may, "{who}");
        assert_eq!(word(&rules, who, "db", "drop"), "deny", "{who}");
    }
    assert_eq!(word(&rules, &user("x", &["night"]), "lamp", "on"), "allow");
    assert_eq!(word(&rules, &Principal::local("root"), "db", "drop"), "deny");
    assert_eq!(word(&rules, &Principal::local("ann"), "db", "drop"), "allow");
    assert!(faults(json!({ "roles": { "a": { "members": ["bob"] } } }), "").contains("policy.roles.a.members.0"));
}

#[test]
fn auth_5_the_roles_that_are_there() {
    let rules = policy(json!({}), "");
    let look = Hints { read_only: true, destructive: false, ..Hints::default() };
    let add = Hints { destructive: false, ..Hints::default() };
    let may = |role: &str, action: Action, hints: Hints| {
        let who = user("x", &[role]);
        let thing = if action == Action::AdminApprovals { "hub" } else { "t" };
        rules.decide(&Access { hints, ..Access::new(&who, action, "s", thing) }).is_possible()
    };
    let table: [(&str, [bool; 6]); 5] = [
        ("viewer", [true, false, false, true, false, false]),
        ("reviewer", [true, true, false, true, true, false]),
        ("developer", [true, true, true, true, false, false]),
        ("admin", [true, true, true, true, true, true]),
        ("other", [false; 6]),
    ];
    for (role, expected) in table {
        let found = [
            may(role, Action::CallTool, look),
            may(role, Action::CallTool, add),
            may(role, Action::CallTool, Hints::default()),
            may(role, Action::ReadResource, look),
            may(role, Action::AdminApprovals, look),
            may(role, Action::UseSecret, look),
        ];
        assert_eq!(found, expected, "{role}");
    }
    let local = Principal::local("ann");
    assert!(rules.decide(&Access::new(&local, Action::AdminKeys, "", "hub")).is_possible());
    let narrowed = policy(json!({ "roles": { "admin": { "allow": ["a"] } } }), "");
    assert_eq!(word(&narrowed, &user("x", &["admin"]), "b", "t"), "deny");
}

#[test]
fn tool_2_cedar_files_see_arguments_claims_and_where_a_call_comes_from() {
    let rules = policy(
        json!({ "allow": [] }),
        r#"
        @id("tmp") permit(principal is User, action == Action::"tools/call", resource == Tool::"fs:write")
        when { context.arguments.hasTag("path") && context.arguments.getTag("path") like "/tmp/*" };
        @id("small") permit(principal, action, resource in Server::"bank")
        when { context.numbers.hasTag("amount") && context.numbers.getTag("amount") < 100 };
        @id("finance") permit(principal, action, resource in Pattern::"books:read_*")
        when { principal.hasTag("org.department") && principal.getTag("org.department").contains("finance") };
        @id("near") permit(principal, action, resource in Server::"near")
        when { context.loopback && !(context has address && context.address.isInRange(ip("10.0.0.0/8"))) };
        "#,
    );
    let ann = user("ann", &[]);
    let decide =
        |server: &str, name: &str, arguments: &str| rules.decide(&call(&ann, server, name, arguments)).as_str();
    assert_eq!(decide("fs", "write", r#"{"path":"/tmp/x"}"#), "allow");
    assert_eq!(decide("fs", "write", r#"{"path":"/etc/x"}"#), "deny");
    assert_eq!(decide("fs", "write", r#"{"path":["/tmp/x"]}"#), "deny");
    assert_eq!(decide("fs", "write", ""), "deny");
    assert_eq!(decide("fs", "read", r#"{"path":"/tmp/x"}"#), "deny");
    assert_eq!(decide("bank", "pay", r#"{"amount":99}"#), "allow");
    for amount in ["100", "-1.5", "99.9", "1e3", "\"99\"", "99e400"] {
        assert_eq!(decide("bank", "pay", &format!(r#"{{"amount":{amount}}}"#)), "deny", "{amount}");
    }
    let claims = json!({ "org": { "department": ["sales", "finance"] } }).as_object().unwrap().clone();
    let clerk = Principal::build(Identity { claims, ..Identity::new(PrincipalKind::Token, "c") });
    assert_eq!(word(&rules, &clerk, "books", "read_all"), "allow");
    assert_eq!(word(&rules, &ann, "books", "read_all"), "deny");
    assert_eq!(word(&rules, &clerk, "books", "write"), "deny");
    for (address, may) in
        [(None, "allow"), (Some("::1"), "allow"), (Some("192.0.2.1"), "deny"), (Some("10.1.2.3"), "deny")]
    {
        let around = Surroundings { address: address.map(|a| a.parse().unwrap()), ..Surroundings::default() };
        let access = Access { around, ..call(&ann, "near", "t", "") };
        assert_eq!(rules.decide(&access).as_str(), may, "{address:?}");
    }
}

/// AUTH-7: a key that is given a certificate's name is no certificate, and a rule about nobody is no rule.
#[test]
fn tool_2_a_key_is_never_taken_for_a_certificate() {
    let rules = policy(
        json!({ "allow": [] }),
        r#"permit(principal == Service::"certificate|CN=ca|ci", action, resource);
           permit(principal == Service::"key|deploy", action, resource);"#,
    );
    let named = |kind, id: &str, issuer: Option<&str>| {
        Principal::build(Identity { issuer: issuer.map(str::to_owned), ..Identity::new(kind, id) })
    };
    let may = |who: &Principal| word(&rules, who, "s", "t") == "allow";
    assert!(may(&named(PrincipalKind::Certificate, "ci", Some("CN=ca"))));
    assert!(may(&named(PrincipalKind::ApiKey, "deploy", None)));
    for name in ["CN=ca|ci", "certificate|CN=ca|ci", "ci"] {
        assert!(!may(&named(PrincipalKind::ApiKey, name, None)), "{name}");
    }
    assert!(!may(&named(PrincipalKind::Certificate, "deploy", None)));
    for id in ["ci", "key|", "certificate|ci", "certificate||ci", "certificate|CN=ca|", "other|CN=ca|ci"] {
        let nobody = faults(json!({}), &format!(r#"forbid(principal == Service::"{id}", action, resource);"#));
        assert!(nobody.contains("certificate|ISSUER|ID"), "{id}: {nobody:?}");
    }
}

/// AUTH-4: a fresh token of somebody is decided on as the one before; where a policy reads what differs, it is not.
#[test]
fn tool_2_what_no_policy_reads_of_a_token_makes_no_decision_new() {
    let token = |jti: &str, team: &str| {
        let claims = json!({ "jti": jti, "org": { "team": team } }).as_object().unwrap().clone();
        Principal::build(Identity { claims, ..Identity::new(PrincipalKind::Token, "ann") })
    };
    let digest = |rules: &Policy, who: &Principal| rules.authorization(who, &Surroundings::default());
    let blind = policy(json!({ "allow": [] }), "permit(principal is User, action, resource);");
    assert_eq!(digest(&blind, &token("1", "a")), digest(&blind, &token("2", "b")));
    let reading = policy(
        json!({ "allow": [] }),
        r#"permit(principal, action, resource)
           when { principal.hasTag("org.team") && principal.getTag("org.team").contains("a") };"#,
    );
    assert_eq!(digest(&reading, &token("1", "a")), digest(&reading, &token("2", "a")));
    assert_ne!(digest(&reading, &token("1", "a")), digest(&reading, &token("1", "b")));
    for (team, may) in [("a", "allow"), ("b", "deny"), ("a", "allow")] {
        assert_eq!(word(&reading, &token("1", team), "s", "t"), may);
    }
    let key = |servers: serde_json::Value| {
        let claims = json!({ "servers": servers }).as_object().unwrap().clone();
        Principal::build(Identity { claims, ..Identity::new(PrincipalKind::ApiKey, "ci") })
    };
    assert_ne!(digest(&blind, &key(json!(["git"]))), digest(&blind, &key(json!(["files"]))), "it shows others");
}

/// Cedar leaves out a policy that fails: a failing `forbid` would open what it should close.
#[test]
fn tool_2_a_policy_that_fails_refuses_the_call() {
    let overflow = r#"@id("sum") forbid(principal, action, resource in Server::"bank")
        when { context.numbers.hasTag("n") && context.numbers.getTag("n") + 9223372036854775807 < 0 };"#;
    let rules = policy(json!({}), overflow);
    let ann = Principal::local("ann");
    assert_eq!(rules.decide(&call(&ann, "bank", "t", r#"{"n":0}"#)).as_str(), "allow");
    let why = denial(&rules, &call(&ann, "bank", "t", r#"{"n":1}"#));
    assert!(why.contains("policy sum could not be decided"), "{why}");
    let permit = overflow.replace("forbid", "permit").replace("< 0", "> 0");
    let rules = policy(json!({}), &permit);
    assert_eq!(rules.decide(&call(&ann, "bank", "t", r#"{"n":1}"#)).as_str(), "deny");
    assert_eq!(rules.decide(&call(&ann, "bank", "t", r#"{"n":0}"#)).as_str(), "allow");
}

#[test]
fn tool_2_a_wrong_file_is_refused_with_its_place() {
    let broken = faults(json!({}), "permit(principal, action, resource)\nwhen { resource.nmae == \"x\" };");
    assert!(broken.contains("test.cedar:2:") && broken.contains("2 | when") && broken.contains('^'), "{broken}");
    let unread = faults(json!({}), "permit(principal, actoin, resource);");
    assert!(unread.contains("test.cedar:1:") && unread.contains('^'), "{unread}");
    let unasked =
        faults(json!({}), r#"permit(principal, action, resource) when { context.arguments.getTag("x") == "y" };"#);
    assert!(unasked.contains("hasTag") || unasked.contains("tag"), "{unasked}");
    let misspelt = faults(json!({}), r#"@aproval("?") permit(principal, action, resource);"#);
    assert!(misspelt.contains("@aproval"), "{misspelt}");
    assert!(
        faults(json!({}), r#"@approver("boss") @approval("") permit(principal, action, resource);"#).contains("boss")
    );
    assert!(faults(json!({}), "permit(principal == ?principal, action, resource);").contains("template"));
    assert!(faults(json!({}), r#"permit(principal, action == Action::"tools/cal", resource);"#).contains("tools/cal"));
    let twice = r#"@id("a") permit(principal, action, resource); @id("a") forbid(principal, action, resource);"#;
    assert!(faults(json!({}), twice).contains("two policies"));
    assert!(faults(json!({}), r#"permit(principal, action, resource in Pattern::"");"#).contains("Pattern"));
}

#[test]
fn tool_2_an_approval_goes_before_what_allows_and_after_what_forbids() {
    let cedar = r#"
        @id("asked") @approval("may it pay?") permit(principal is User, action, resource in Server::"bank");
        @id("boss") @approval("") @approver("admin") forbid(principal, action, resource == Tool::"git:force");
    "#;
    let rules = policy(json!({ "approve": ["git:push", "git:force"], "deny": ["git:gc"] }), cedar);
    let (ann, bob) = (Principal::local("ann"), user("bob", &["developer"]));
    for (who, server, name, what) in [
        (&ann, "git", "push", "approve"),
        (&ann, "git", "log", "allow"),
        (&ann, "git", "gc", "deny"),
        (&ann, "bank", "pay", "allow"),
        (&bob, "bank", "pay", "allow"),
        (&user("eve", &[]), "bank", "pay", "approve"),
        (&user("eve", &[]), "git", "push", "deny"),
    ] {
        assert_eq!(word(&rules, who, server, name), what, "{who} {server}:{name}");
    }
    let Decision::Approve(ask) = rules.decide(&call(&ann, "git", "force", "")) else { panic!("asked") };
    assert_eq!((ask.approver, &*ask.policy), (Approver::Admin, "boss"));
}

/// Two users of one name at two providers, and one whose name is spelt like the other's issuer.
#[test]
fn auth_5_a_policy_about_one_user_is_about_no_other() {
    let rules = policy(json!({}), r#"permit(principal == User::"https://idp|ann", action, resource);"#);
    assert_eq!(word(&rules, &user("ann", &[]), "a", "b"), "allow");
    let other = |issuer: Option<&str>, id: &str, kind| {
        Principal::build(Identity { issuer: issuer.map(str::to_owned), ..Identity::new(kind, id) })
    };
    for who in [
        other(Some("https://other"), "ann", PrincipalKind::Token),
        other(Some("https://idp"), "ann", PrincipalKind::Certificate),
        other(None, "ann", PrincipalKind::Token),
    ] {
        assert_eq!(word(&rules, &who, "a", "b"), "deny", "{who}");
    }
}

#[test]
fn tool_2_a_resource_is_judged_by_every_spelling() {
    let ann = Principal::local("ann");
    let rules = policy(json!({ "deny": ["fs:file:///etc/*"] }), "");
    let read = |uri: &str| rules.decide(&Access::new(&ann, Action::ReadResource, "fs", uri)).as_str();
    assert_eq!(read("file:///home/x"), "allow");
    for uri in ["file:///etc/passwd", "file:///tmp/../etc/passwd", "FILE:///%65tc/passwd", "file:///home/%2e%2e/etc/x"]
    {
        assert_eq!(read(uri), "deny", "{uri}");
    }
    let only = policy(json!({ "allow": ["fs:file:///pub/*"] }), "");
    let read = |uri: &str| only.decide(&Access::new(&ann, Action::ReadResource, "fs", uri)).as_str();
    assert_eq!(read("file:///pub/x"), "allow");
    assert_eq!(read("file:///pub/../etc/passwd"), "deny");
}

/// A verdict is kept by the policy that found it, so another policy starts with none.
#[test]
fn tool_2_no_decision_outlives_what_it_depends_on() {
    let one = policy(json!({}), "");
    let two = policy(json!({ "deny": ["a"] }), "");
    let bob = |roles: &[&str]| user("bob", roles);
    for _ in 0..2 {
        assert_eq!(word(&one, &bob(&["developer"]), "a", "b"), "allow");
        assert_eq!(word(&two, &bob(&["developer"]), "a", "b"), "deny");
        // The same caller with other roles: the first answer is not theirs any more.
        assert_eq!(word(&one, &bob(&[]), "a", "b"), "deny");
    }
    // A tool that says something else of itself.
    let viewer = bob(&["viewer"]);
    let access = |read_only| Access { hints: Hints { read_only, ..Hints::default() }, ..call(&viewer, "a", "b", "") };
    assert!(one.decide(&access(true)).is_possible() && !one.decide(&access(false)).is_possible());
}

#[test]
fn tool_2_everything_that_is_written_can_be_read_as_cedar() {
    let rules = policy(
        json!({ "deny": ["a:b\"c"], "approve": ["x"], "approver": "admin", "roles": { "a \"b\"": { "allow": ["q*"] } } }),
        "",
    );
    let source = PolicySource { path: "all.cedar".into(), text: rules.to_cedar() };
    let again = PolicySettings { allow: Vec::new(), sources: vec![source], ..PolicySettings::default() };
    let again = Policy::build(&again).unwrap_or_else(|faults| panic!("{}", faults[0]));
    assert_eq!(word(&again, &user("x", &["a \"b\""]), "q1", "t"), "allow");
    assert_eq!(word(&again, &Principal::local("x"), "x", "t"), "approve");
}

#[test]
fn tool_7_a_decision_is_explained() {
    let rules = policy(
        json!({ "deny": ["git:push_*"], "roles": { "developer": { "members": ["user:bob"] } } }),
        r#"@id("soon") permit(principal, action, resource) when { context.arguments.hasTag("x") };"#,
    );
    let bob = user("bob", &[]);
    let access = Access::new(&bob, Action::CallTool, "git", "push_now");
    let explained = rules.explain(&access);
    let names = |list: &[std::sync::Arc<str>]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(explained.decision.as_str(), "deny");
    assert_eq!(names(&explained.permits), ["role developer (1)"]);
    assert_eq!(names(&explained.forbids), ["policy.deny[0]"]);
    assert_eq!(names(&explained.open), ["soon"]);
    assert_eq!(explained.roles, ["developer"]);
}
