//! What a decision costs, and how that grows with the number of rules:
//! `cargo run --release -p omni-auth --example decisions`.
//!
//! The CPU time of the thread is what counts where the machine is shared. Percentiles are of wall time: of each of many turns, and
//! the middle one of those, since what takes the processor away meanwhile is no part of a decision.

use std::io::Write as _;
use std::time::{Duration, Instant};

use omni_auth::settings::{PolicySettings, PolicySource, RoleSettings};
use omni_auth::{Access, Action, Arguments, Policy};
use omni_types::{Identity, Principal, PrincipalKind};

/// Calls of which percentiles are taken, and the turns that they are parted into.
const CALLS: usize = 50_000;
const TURNS: usize = 25;

fn main() {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "| rules | build | decision | CPU a call | p50 | p99 |\n|---|---|---|---|---|---|");
    let ann = Principal::local("ann");
    let free = build(&PolicySettings::default()).0;
    row(&mut out, "default", Duration::ZERO, "local user, no rules", &free, &ann, "t1", None, true);
    for rules in [200, 1_000, 10_000] {
        let (policy, took) = build(&settings(rules));
        let user = Principal::build(Identity { roles: vec!["r1".into()], ..Identity::new(PrincipalKind::Token, "u") });
        let text = rules.to_string();
        row(&mut out, &text, took, "known", &policy, &user, "t1", None, true);
        row(&mut out, &text, took, "by arguments", &policy, &user, "args", Some(r#"{"path":"/srv/x","n":7}"#), true);
        row(&mut out, &text, took, "never asked before", &policy, &user, "t1", None, false);
        for (role, server, what) in [
            ("q10", "s12", "never asked, a rule reads the caller"),
            ("q50", "s2", "never asked, a rule reads the tool's hints"),
            ("q30", "s32", "never asked, a rule reads the tool's name"),
        ] {
            let roles = vec![role.into()];
            let user = Principal::build(Identity { roles, ..Identity::new(PrincipalKind::Token, "u") });
            row(&mut out, &text, took, what, &policy, &user, &format!("{server}:t1"), None, false);
        }
    }
}

/// Half of the rules from lists of `omni.yaml`, for 20 roles; half of a file, of which every tenth has a condition.
fn settings(rules: usize) -> PolicySettings {
    let mut settings = PolicySettings::default();
    for role in 0..20 {
        let allow = (0..rules / 40).map(|at| format!("s{}:t{at}*", at % 10)).collect();
        let role = (format!("r{role}"), RoleSettings { allow: Some(allow), ..RoleSettings::default() });
        settings.roles.insert(role.0, role.1);
    }
    let mut text = String::from(
        r#"permit(principal, action == Action::"tools/call", resource == Tool::"s1:args")
           when { context.arguments.hasTag("path") && context.arguments.getTag("path") like "/srv/*" };"#,
    );
    for at in 1..rules / 2 {
        let condition = match at % 30 {
            10 => r#"when { principal.id != "x" }"#,
            20 => "when { resource has readOnly && !resource.readOnly }",
            0 => r#"when { resource has name && resource.name != "x" }"#,
            _ => "",
        };
        let effect = if at % 4 == 0 { "forbid" } else { "permit" };
        let server = at % 50 + 2;
        text += &format!(
            "{effect}(principal in Role::\"q{at}\", action, resource in Server::\"s{server}\") {condition};\n"
        );
    }
    settings.sources.push(PolicySource { path: "bench.cedar".into(), text });
    settings
}

fn build(settings: &PolicySettings) -> (Policy, Duration) {
    let began = Instant::now();
    match Policy::build(settings) {
        Ok(policy) => (policy, began.elapsed()),
        Err(faults) => panic!("{}", faults[0]),
    }
}

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
fn row(
    out: &mut impl std::io::Write,
    rules: &str,
    took: Duration,
    what: &str,
    policy: &Policy,
    principal: &Principal,
    name: &str,
    arguments: Option<&str>,
    warm: bool,
) {
    let (server, name) = name.split_once(':').unwrap_or(("s1", name));
    // A name that nobody asked about is one that no verdict is kept for.
    let many = || (0..CALLS).map(|at| format!("{name}-{at}")).collect();
    let names: Vec<String> = if warm { vec![name.to_owned()] } else { many() };
    let mut times = Vec::with_capacity(CALLS);
    let calls = if warm { CALLS } else { CALLS / 10 };
    let began = cpu();
    for name in names.iter().cycle().take(calls) {
        let access =
            Access { arguments: Arguments::Given(arguments), ..Access::new(principal, Action::CallTool, server, name) };
        let started = Instant::now();
        std::hint::black_box(policy.decide(std::hint::black_box(&access)));
        times.push(started.elapsed());
    }
    let each = (cpu() - began) / u32::try_from(calls).unwrap_or(1);
    let percentile = |percent: usize| {
        let of_turn = |turn: &[Duration]| {
            let mut turn = turn.to_vec();
            turn.sort_unstable();
            turn[turn.len() * percent / 100]
        };
        let mut all: Vec<Duration> = times.chunks(calls / TURNS).map(of_turn).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    let (p50, p99) = (percentile(50), percentile(99));
    let _ = writeln!(out, "| {rules} | {took:.1?} | {what} | {each:.2?} | {p50:.2?} | {p99:.2?} |");
}

/// CPU time of the first thread, on which all of this runs.
fn cpu() -> Duration {
    let spent = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(spent.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}
