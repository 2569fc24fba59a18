//! `cargo xtask check`: everything that can be said about the code without running it.

use crate::skips::{self, Skip};
use crate::step::{Steps, command};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::{ExitCode, Stdio};

/// Where `.ci/run` puts cargo-deny when it is not on the machine.
const OWN_DENY: &str = "target/tools/bin/cargo-deny";

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let advisories = match arguments {
        [] => false,
        [only] if only == "--advisories" => true,
        _ => bail!("usage: cargo xtask check [--advisories]"),
    };
    let mut steps = Steps::default();
    steps.program("fmt", &["cargo", "fmt", "--all", "--", "--check", "--files-with-diff"]);
    // What tidy finds is in files; a backtrace through tidy itself would only bury it.
    let tidy = ["cargo", "test", "--quiet", "--package", "omni-tidy"];
    steps.program_with("tidy", &tidy, &[("RUST_BACKTRACE", "0")]);
    let clippy = ["cargo", "clippy", "--workspace", "--all-targets", "--keep-going", "--quiet", "--", "-D", "warnings"];
    steps.program("clippy", &clippy);
    deny(&mut steps, advisories);
    let doc = ["cargo", "doc", "--workspace", "--no-deps", "--keep-going", "--quiet"];
    steps.program_with("doc", &doc, &[("RUSTDOCFLAGS", "-D warnings")]);
    Ok(steps.finish())
}

/// Dependencies: what is banned, under which licence, from where; known holes only when asked, since the database of
/// advisories is fetched from GitHub, which not every machine reaches (CI's does not).
fn deny(steps: &mut Steps, advisories: bool) {
    let again = "cargo deny check bans licenses sources";
    let Some(program) = find_deny() else {
        let skip = Skip {
            component: "cargo-deny".to_owned(),
            reason: "not installed: cargo install cargo-deny --locked".to_owned(),
        };
        if skips::is_failure(&skip) {
            steps.call("deny", again, || bail!("{}", skip.reason));
        } else {
            steps.skip("deny", again, &skip.reason);
        }
        return;
    };
    steps.program("deny", &[program, "--log-level", "error", "check", "bans", "licenses", "sources"]);
    if advisories {
        steps.program("advisories", &[program, "check", "advisories"]);
    } else {
        let reason = "the database is fetched from GitHub: cargo xtask check --advisories where that is reachable";
        steps.skip("advisories", "cargo deny check advisories", reason);
    }
}

fn find_deny() -> Option<&'static str> {
    let answers = |program: &str| {
        let version = command(&[program, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    if answers("cargo-deny") {
        return Some("cargo-deny");
    }
    (Path::new(OWN_DENY).exists() && answers(OWN_DENY)).then_some(OWN_DENY)
}
