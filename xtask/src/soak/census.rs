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
    pub(super) sessions: u64,
    pub(super) calls: u64,
    pub(super) links: u64,
}

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
            sessions: number(&ready["sessions"]),
            calls: number(&ready["calls"]) + sum("calls"),
            links: sum("links"),
        })
    }

    /// The three as a table.
    pub(super) fn table(before: &Self, busy: &Self, after: &Self) -> String {
        let row = |what: &str, of: fn(&Self) -> u64| {
            format!("  {what:<24}{:>10}{:>10}{:>10}", of(before), of(busy), of(after))
        };
        [
            format!("  {:<24}{:>10}{:>10}{:>10}", "", "before", "at work", "after"),
            row("resident memory, KiB", |c| c.memory_kb),
            row("descriptors", |c| c.descriptors),
            row("threads", |c| c.threads),
            row("processes behind it", |c| c.processes),
            row("sessions", |c| c.sessions),
            row("calls in flight", |c| c.calls),
            row("links to servers", |c| c.links),
        ]
        .join("\n")
    }
}
