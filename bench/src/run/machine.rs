//! What a run is made on: the machine, the commit, the compiler.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The first line a command prints; empty if it fails.
fn ask(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Date and time, UTC.
pub(crate) fn date() -> String {
    ask("date", &["-u", "+%Y-%m-%d %H:%M UTC"])
}

/// The commit of the tree this runs in, and whether tracked files of it differ (the report itself is not counted).
pub(crate) fn commit() -> String {
    let commit = ask("git", &["rev-parse", "--short=10", "HEAD"]);
    let changed = ask(
        "git",
        &["status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/PERFORMANCE.md", ":!docs/performance"],
    );
    match (commit.is_empty(), changed.is_empty()) {
        (true, _) => "unknown".to_owned(),
        (false, true) => commit,
        (false, false) => format!("{commit}, with uncommitted changes"),
    }
}

/// Model of the first CPU.
pub(crate) fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let virtual_machine = if info.contains(" hypervisor") { ", virtual machine" } else { "" };
    format!("{} (family {}, model {}){virtual_machine}", field("model name"), field("cpu family"), field("model\t"))
}

/// CPUs of the machine, whichever of them this thread may use.
pub(crate) fn cpus() -> usize {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines().filter(|line| line.starts_with("processor")).count()
}

/// Memory in GiB.
pub(crate) fn memory_gib() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = info.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0);
    (kib + (1 << 19)) >> 20
}

/// Release of the kernel.
pub(crate) fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// Version of the compiler.
pub(crate) fn rustc() -> String {
    // cargo puts a profile's programs into a folder of its name.
    let program = std::env::current_exe().unwrap_or_default();
    let profile = program.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{}, profile `{profile}`", ask("rustc", &["--version"]))
}

/// Load average over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
