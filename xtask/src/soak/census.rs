//! What the hub holds at one moment: what the kernel says of it, and what it says of itself.

use crate::soak::hub::{Hub, descendants};
use anyhow::{Context as _, Result};
use std::fs;

/// What the hub holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Census {
    pub(super) memory_kb: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
    pub(super) processes: u64,
    pub(super) tasks: u64,
    pub(super) sessions: u64,
    /// What it holds at the hub that is one of its servers.
    pub(super) sessions_behind: u64,
    pub(super) calls: u64,
    pub(super) parked: u64,
    pub(super) links: u64,
}

type Row = (&'static str, fn(&Census) -> u64);

const ROWS: &[Row] = &[
    ("resident memory, KiB", |c| c.memory_kb),
    ("descriptors", |c| c.descriptors),
    ("threads", |c| c.threads),
    ("processes behind it", |c| c.processes),
    ("tasks", |c| c.tasks),
    ("sessions", |c| c.sessions),
    ("sessions at the hub behind", |c| c.sessions_behind),
    ("calls in flight", |c| c.calls),
    ("calls that wait for users", |c| c.parked),
    ("links to servers", |c| c.links),
];

impl Census {
    pub(super) fn take(hub: &Hub) -> Result<Self> {
        let folder = format!("/proc/{}", hub.pid());
        let status = fs::read_to_string(format!("{folder}/status")).context("the hub is gone")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let ready = hub.ready()?;
        let number = |value: &serde_json::Value| value.as_u64().unwrap_or_default();
        let servers = ready["servers"].as_array().cloned().unwrap_or_default();
        let sum = |name: &str| servers.iter().map(|server| number(&server[name])).sum::<u64>();
        Ok(Self {
            memory_kb: field("VmRSS:").context("no VmRSS")?,
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count() as u64,
            threads: field("Threads:").context("no Threads")?,
            processes: descendants(hub.pid()).len() as u64,
            tasks: number(&ready["tasks"]),
            sessions: number(&ready["sessions"]),
            // It may just be starting anew.
            sessions_behind: hub.behind.ready().map_or(0, |ready| number(&ready["sessions"])),
            calls: number(&ready["calls"]) + sum("calls"),
            parked: number(&ready["waiting_for_input"]),
            links: sum("links"),
        })
    }

    /// Whether it holds the same things as at the `last` look. Memory and descriptors of a moment do not count.
    pub(super) fn holds_as_last(&self, last: &Self) -> bool {
        let things = |c: &Self| [c.processes, c.tasks, c.sessions, c.sessions_behind, c.calls, c.parked, c.links];
        things(self) == things(last)
    }

    /// The head of a table of them, one a line.
    pub(super) fn head() -> String {
        ROWS.iter().map(|(what, _)| *what).collect::<Vec<_>>().join(";")
    }

    /// One line of it.
    pub(super) fn line(&self) -> String {
        ROWS.iter().map(|(_, of)| of(self).to_string()).collect::<Vec<_>>().join(";")
    }

    /// Several as a table, each under its name.
    pub(super) fn table(all: &[(String, Self)]) -> String {
        let head = all.iter().map(|(name, _)| format!("{name:>10}")).collect::<String>();
        let mut table = format!("  {:<28}{head}", "");
        for (what, of) in ROWS {
            let row = all.iter().map(|(_, census)| format!("{:>10}", of(census))).collect::<String>();
            table += &format!("\n  {what:<28}{row}");
        }
        table
    }
}
