//! Some calls belong behind one door: processes, pauses of a thread, the end of the program.

use crate::{Finding, House};

/// A call, by the end of its path, and where it may stand.
#[derive(Debug)]
pub struct Door {
    /// The last segments of the path.
    pub call: &'static [&'static str],
    /// Beginnings of the paths of files that may make it.
    pub may: &'static [&'static str],
    /// What to do elsewhere, and why.
    pub reason: &'static str,
}

/// The doors of the product. (What is allowed nowhere is in `clippy.toml`.)
pub const DOORS: &[Door] = &[
    Door {
        call: &["Command", "new"],
        may: &["crates/proxy/src/process/", "crates/secrets/src/keychain/tool.rs"],
        reason: "omni-proxy's process module starts programs, with an environment, a group and an end of their own (the keychain's \
                 program is no server's: it is asked one thing and ended by its deadline)",
    },
    Door {
        call: &["thread", "sleep"],
        may: &["crates/proxy/src/process/guard.rs"],
        reason: "it stops a worker thread and every call on it: tokio::time::sleep (the guard is a process without a runtime)",
    },
    Door {
        call: &["process", "exit"],
        may: &["crates/omni/src/main.rs", "crates/proxy/src/process/guard.rs"],
        reason: "no destructor runs, so children and temporary files stay behind: return an ExitCode to main",
    },
    Door {
        call: &["process", "abort"],
        may: &[],
        reason: "no destructor runs, so children and temporary files stay behind: return an error",
    },
];

/// Folders whose crates are no part of the product: they start, pause and crash on purpose.
const TOOLS: &[&str] = &["bench/", "fuzz/", "simulation/", "xtask/", "crates/tidy/", "crates/fixtures/"];

/// Calls outside tests that stand elsewhere than behind their door; and doors that lead to no file.
#[must_use]
pub fn check(house: &House, doors: &[Door]) -> Vec<Finding> {
    let mut findings = house.unparsed();
    for file in house.walked.iter().filter(|file| !TOOLS.iter().any(|tool| file.path.starts_with(tool))) {
        for used in file.used.iter().filter(|used| !used.test) {
            let behind = |door: &&Door| door.may.iter().any(|may| file.path.starts_with(may));
            for door in doors.iter().filter(|door| ends_with(&used.segments, door.call) && !behind(door)) {
                let message = format!("`{}`: {}", door.call.join("::"), door.reason);
                findings.push(Finding::new(&file.path, used.line, message));
            }
        }
    }
    for may in doors
        .iter()
        .flat_map(|door| door.may)
        .filter(|may| !house.tree.paths.iter().any(|path| path.starts_with(**may)))
    {
        findings.push(Finding::new(may, 0, "is a door in crates/tidy/src/checks/doors.rs and not there: take it out"));
    }
    findings
}

fn ends_with(segments: &[String], call: &[&str]) -> bool {
    segments.len() >= call.len() && segments[segments.len() - call.len()..].iter().eq(call.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLS: &[Door] = &[Door { call: &["Command", "new"], may: &["crates/a/src/process/"], reason: "there" }];

    fn found(path: &str, text: &str) -> Vec<String> {
        let files = [("crates/a/src/process/spawn.rs", "fn f() { Command::new(x); }"), (path, text)];
        check(&House::sample(&files), WALLS).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_call_elsewhere_is_found_however_long_its_path() {
        let text = "fn f() { tokio::process::Command::new(x); }\nfn g() { vec![Command::new(x)]; }\nfn h() { Cli::command(); }\n";
        let expected = ["crates/a/src/x.rs:1: `Command::new`: there", "crates/a/src/x.rs:2: `Command::new`: there"];
        assert_eq!(found("crates/a/src/x.rs", text), expected);
    }

    #[test]
    fn tests_and_tools_are_free() {
        let text = "fn f() { Command::new(x); }";
        assert_eq!(found("bench/src/x.rs", text), [""; 0]);
        assert_eq!(found("crates/a/tests/x.rs", text), [""; 0]);
    }

    #[test]
    fn a_door_that_leads_nowhere_is_found() {
        assert_eq!(check(&House::sample(&[("crates/a/src/x.rs", "")]), WALLS).len(), 1);
    }
}
