//! The system's processes, as `/proc` shows them: who stems from whom, and whose session is whose.

use std::collections::HashMap;

use rustix::process::Pid;

/// A living process.
#[derive(Debug, Clone, Copy)]
struct Entry {
    pid: i32,
    parent: i32,
    session: i32,
}

/// All living descendants of `root`.
pub(super) fn descendants(root: Pid) -> Vec<Pid> {
    below(&living(), vec![root.as_raw_nonzero().get()])
}

/// All living processes of the session that `leader` opened, and their descendants; its leader need not live any more.
pub(super) fn session(leader: Pid) -> Vec<Pid> {
    let living = living();
    let leader = leader.as_raw_nonzero().get();
    let members: Vec<i32> = living.iter().filter(|entry| entry.session == leader).map(|entry| entry.pid).collect();
    let mut found = below(&living, members.clone());
    found.extend(members.into_iter().filter_map(Pid::from_raw));
    found.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
    found.dedup();
    found
}

fn below(living: &[Entry], mut queue: Vec<i32>) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in living {
        children.entry(entry.parent).or_default().push(entry.pid);
    }
    let mut found = Vec::new();
    while let Some(parent) = queue.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            queue.push(child);
            found.extend(Pid::from_raw(child));
        }
    }
    found
}

fn living() -> Vec<Entry> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| look(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn look(pid: i32) -> Option<Entry> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name, may hold blanks and brackets; state, parent, group and session follow its last bracket.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    Some(Entry { pid, parent, session })
}
