//! The memory of the hub is its own: no core dump holds it, and no other process of this user reads it.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Set for whoever looks into a hub with a debugger or a profiler.
pub(crate) const DUMPABLE: &str = "OMNI_DUMPABLE";

/// Makes it so, unless the environment asks for the opposite. Servers start without core dumps, too; they may raise the limit.
pub(crate) fn keep_private() {
    if std::env::var_os(DUMPABLE).is_some_and(|value| value == "1") {
        tracing::debug!("{DUMPABLE} is 1: core dumps and other processes of this user can read the hub's secrets");
        return;
    }
    let maximum = getrlimit(Resource::Core).maximum;
    let done = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum })
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = done {
        tracing::warn!(%error, "core dumps of the hub could not be turned off: one would hold its secrets");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    use super::{DUMPABLE, keep_private};

    #[test]
    fn sec_5_memory_is_dumped_nowhere() {
        if std::env::var_os(DUMPABLE).is_some() {
            return;
        }
        keep_private();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }
}
