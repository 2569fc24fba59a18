//! The system's processes, as `/proc` shows them.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// A process as one look at `/proc` found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) is_zombie: bool,
    pub(crate) command: String,
}

/// Every process.
pub(crate) fn all() -> Vec<Process> {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| look(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

/// Every process whose environment holds `mark`, whoever started it.
pub(crate) fn marked(mark: &str) -> Vec<Process> {
    let holds = |process: &Process| {
        let environ = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    all().into_iter().filter(holds).collect()
}

/// The children of `parent`, dead ones that nobody fetched included.
pub(crate) fn children(parent: i32) -> Vec<Process> {
    all().into_iter().filter(|process| process.parent == parent).collect()
}

/// How many descriptors `pid` has open.
pub(crate) fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Resident memory of a process, in KiB.
pub(crate) fn resident_kib(pid: i32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Processor time that the threads of a process have used, in milliseconds.
pub(crate) fn cpu_ms(pid: i32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let nanoseconds: u64 = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .map(|times| times.split_whitespace().next().unwrap().parse::<u64>().unwrap())
        .sum();
    nanoseconds / 1_000_000
}

/// Whether `pid` runs.
pub(crate) fn runs(pid: i32) -> bool {
    look(pid).is_some_and(|process| !process.is_zombie)
}

/// Sends a signal to a process that may have ended.
pub(crate) fn signal(pid: i32, signal: Signal) {
    let _gone = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

fn look(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, the second field, may hold blanks and brackets.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    let is_zombie = fields.next()? == "Z";
    let parent = fields.next()?.parse().ok()?;
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned();
    Some(Process { pid, parent, is_zombie, command })
}
