//! Whether everything came back: what the hub holds after all clients left, against what it held before they came.

use crate::soak::census::Census;

/// Descriptors, links and processes that may come and go (a connection that is looked through, a server that starts anew).
const SLACK: u64 = 8;
/// Tasks that may come and go: a few for each link.
const TASKS_SLACK: u64 = 3 * SLACK;
/// Memory that the hub may keep beyond what it began with.
const MEMORY_SLACK_KB: u64 = 24 * 1024;

/// What is left over, one sentence each.
pub(super) fn left_over(before: &Census, after: &Census) -> Vec<String> {
    let held = [
        ("sessions", 0, after.sessions, 0),
        ("calls in flight", 0, after.calls, 0),
        ("calls that wait for their user", 0, after.parked, 0),
        ("sessions at the hub behind it", before.sessions_behind, after.sessions_behind, SLACK),
        ("links to servers", before.links, after.links, SLACK),
        ("tasks", before.tasks, after.tasks, TASKS_SLACK),
        ("descriptors", before.descriptors, after.descriptors, SLACK),
        ("threads", before.threads, after.threads, SLACK),
        ("processes", before.processes, after.processes, SLACK),
        ("resident memory in KiB", before.memory_kb, after.memory_kb, MEMORY_SLACK_KB),
    ];
    let more = held.iter().filter(|(_, had, has, slack)| *has > had + slack);
    more.map(|(what, had, has, _)| format!("{what}: {had} before, {has} after")).collect()
}

#[cfg(test)]
mod tests {
    use super::left_over;
    use crate::soak::census::Census;

    const BEFORE: Census = Census {
        memory_kb: 40_000,
        descriptors: 60,
        threads: 6,
        processes: 14,
        tasks: 90,
        sessions: 0,
        sessions_behind: 2,
        calls: 0,
        parked: 0,
        links: 12,
    };

    #[test]
    fn trb_4_what_is_as_before_or_less_is_no_leak() {
        assert_eq!(left_over(&BEFORE, &BEFORE), Vec::<String>::new());
        let less = Census { descriptors: 20, tasks: 30, links: 3, processes: 4, memory_kb: 30_000, ..BEFORE };
        assert_eq!(left_over(&BEFORE, &less), Vec::<String>::new());
    }

    /// The control: a leak of each kind is found, and told under its own name.
    #[test]
    fn trb_4_a_planted_leak_of_each_kind_is_found() {
        let planted = [
            ("sessions:", Census { sessions: 1, ..BEFORE }),
            ("calls in flight:", Census { calls: 1, ..BEFORE }),
            ("calls that wait for their user:", Census { parked: 1, ..BEFORE }),
            ("sessions at the hub behind it:", Census { sessions_behind: 11, ..BEFORE }),
            ("links to servers:", Census { links: 21, ..BEFORE }),
            ("tasks:", Census { tasks: 115, ..BEFORE }),
            ("descriptors:", Census { descriptors: 69, ..BEFORE }),
            ("threads:", Census { threads: 15, ..BEFORE }),
            ("processes:", Census { processes: 23, ..BEFORE }),
            ("resident memory in KiB:", Census { memory_kb: 70_000, ..BEFORE }),
        ];
        for (name, after) in planted {
            let found = left_over(&BEFORE, &after);
            assert_eq!(found.len(), 1, "{name} {found:?}");
            assert!(found[0].starts_with(name), "{name} {found:?}");
        }
    }
}
