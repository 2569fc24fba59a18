//! What the kernel says of a process and all its descendants: CPU time, memory, threads; and of the machine: CPU busy.

use std::collections::BTreeMap;
use std::fs;

/// Ticks of `/proc/PID/stat` a second: fixed for user space on Linux.
const TICKS_PER_SECOND: u64 = 100;
const TICK_NS: u64 = 1_000_000_000 / TICKS_PER_SECOND;

/// CPU time of a process tree, in ns, a process each: from the scheduler (exact; living threads only) and from the
/// process's account (10 ms steps; ended threads and reaped children as well).
#[derive(Clone, Default)]
pub(crate) struct CpuTime {
    processes: BTreeMap<u32, (u64, u64)>,
}

impl CpuTime {
    /// Of `root` and its descendants, now.
    pub(crate) fn of_tree(root: u32) -> Self {
        Self { processes: tree(root).into_iter().map(|pid| (pid, (scheduled_ns(pid), accounted_ns(pid)))).collect() }
    }

    /// Spent since `before`. The exact figure, unless threads that ended in between make it fall short of the account.
    pub(crate) fn since_ns(&self, before: &Self) -> u64 {
        let of_one = |(pid, (scheduled, accounted)): (&u32, &(u64, u64))| {
            let (scheduled_before, accounted_before) = before.processes.get(pid).copied().unwrap_or_default();
            let accounted = accounted.saturating_sub(accounted_before);
            match scheduled.checked_sub(scheduled_before) {
                Some(exact) if accounted <= exact + 2 * TICK_NS => exact,
                _ => accounted,
            }
        };
        self.processes.iter().map(of_one).sum()
    }
}

/// Memory of a process tree.
#[derive(Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident (`VmRSS`), summed: pages that several processes share are counted for each.
    pub(crate) rss_kib: u64,
    /// The same with shared pages divided among those who share them; 0 where it cannot be read.
    pub(crate) pss_kib: u64,
    /// Threads.
    pub(crate) threads: u64,
}

impl Memory {
    /// Of `root` and its descendants, now.
    pub(crate) fn of_tree(root: u32) -> Self {
        tree(root).into_iter().fold(Self::default(), |sum, pid| {
            let status = read(pid, "status");
            Self {
                rss_kib: sum.rss_kib + field(&status, "VmRSS:"),
                pss_kib: sum.pss_kib + field(&read(pid, "smaps_rollup"), "Pss:"),
                threads: sum.threads + field(&status, "Threads:"),
            }
        })
    }
}

/// Busy time of all CPUs, stolen time included, in ns.
pub(crate) fn machine_busy_ns() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().filter_map(|n| n.parse().ok()).collect();
    // user nice system (idle iowait) irq softirq steal; guest time is in user already.
    [0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum::<u64>() * TICK_NS
}

/// `root` and its descendants.
fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    found
}

fn read(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Time on a CPU by the scheduler's count, all living threads.
fn scheduled_ns(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_task = |text: String| text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    tasks.map(|task| of_task(fs::read_to_string(task.path().join("schedstat")).unwrap_or_default())).sum()
}

/// CPU time of this process's own threads, living and ended, in ns, by its account.
pub(crate) fn own_ns() -> u64 {
    let [utime, stime, ..] = account(std::process::id());
    (utime + stime) * TICK_NS
}

/// CPU time of the descendants of `root` without itself, in ns, by their accounts: those that live, and those that it reaped.
pub(crate) fn descendants_ns(root: u32) -> u64 {
    let [.., cutime, cstime] = account(root);
    (cutime + cstime) * TICK_NS + tree(root).into_iter().skip(1).map(accounted_ns).sum::<u64>()
}

fn accounted_ns(pid: u32) -> u64 {
    account(pid).iter().sum::<u64>() * TICK_NS
}

/// utime, stime, cutime and cstime of `/proc/PID/stat`.
fn account(pid: u32) -> [u64; 4] {
    let stat = read(pid, "stat");
    // The name in parentheses may hold anything; fields are counted from behind it, the state being the third.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut ticks = after_name.split_whitespace().skip(11).map(|ticks| ticks.parse::<u64>().unwrap_or(0));
    std::array::from_fn(|_| ticks.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{CpuTime, Memory, machine_busy_ns};
    use std::time::{Duration, Instant};

    #[test]
    fn work_done_here_is_charged_to_this_process() {
        let (before, busy_before) = (CpuTime::of_tree(std::process::id()), machine_busy_ns());
        let start = Instant::now();
        let mut sum = 0_u64;
        while start.elapsed() < Duration::from_millis(150) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
        }
        let spent = CpuTime::of_tree(std::process::id()).since_ns(&before);
        // Others may have had the CPU in the meantime, so only the order is certain.
        assert!(spent >= 10_000_000, "{spent} ns for 150 ms of work");
        assert!(machine_busy_ns() > busy_before);
    }

    #[test]
    fn memory_is_read() {
        let memory = Memory::of_tree(std::process::id());
        assert!(memory.rss_kib > 500 && memory.threads >= 1);
    }
}
