//! The hub's eye on a guard: what a guard that is killed leaves behind, the hub ends in its place.
//!
//! The guard leads a session of its own, which what it starts belongs to, and the kernel gives that number to nobody else
//! for as long as one of them lives. A server that opened a session for itself is found below those that did not; only
//! what did so and lost its parents before the guard was killed is not.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, waitid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::process::tree::session;

/// Rounds of killing: a tree that forks while it dies is hunted for this long and no longer.
const ROUNDS_MAX: u32 = 200;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(5);

/// A guard that is looked at.
#[derive(Debug)]
pub(crate) struct GuardWatch {
    watched: Option<(AsyncFd<OwnedFd>, Pid)>,
}

impl GuardWatch {
    /// Looks at `guard`, which was started and not yet waited for.
    pub(crate) fn of(guard: &tokio::process::Child) -> Self {
        Self {
            watched: open(guard)
                .inspect_err(|error| tracing::warn!(%error, "a guard cannot be watched"))
                .ok()
                .flatten(),
        }
    }

    /// Returns when the guard has ended and nothing is left of what it guarded. Nobody may wait for it before: until then
    /// its number is its own.
    pub(crate) async fn swept(&mut self) {
        let Some((ended, guard)) = &self.watched else { return };
        if ended.readable().await.is_ok() && was_killed(ended) {
            tracing::warn!(guard = guard.as_raw_nonzero(), "a guard was killed: the hub ends what it guarded");
            let mut rounds = 0;
            while rounds < ROUNDS_MAX && kill(*guard).await {
                rounds += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.watched = None;
    }
}

#[expect(deprecated, reason = "what replaces it is unsafe; this descriptor is owned and stays what it is")]
fn open(guard: &tokio::process::Child) -> io::Result<Option<(AsyncFd<OwnedFd>, Pid)>> {
    let Some(pid) = guard.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else { return Ok(None) };
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    Ok(Some((AsyncFd::with_interest(pidfd, Interest::READABLE)?, pid)))
}

fn was_killed(ended: &AsyncFd<OwnedFd>) -> bool {
    // Only looked at: whoever started it waits for it.
    let how = waitid(WaitId::PidFd(ended.get_ref().as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    how.is_ok_and(|how| how.is_some_and(|how| how.terminating_signal().is_some()))
}

/// One round; `false` when nothing was left.
async fn kill(guard: Pid) -> bool {
    let round = tokio::task::spawn_blocking(move || {
        let left = session(guard);
        for pid in &left {
            // It may have ended in the meantime.
            let _gone = kill_process(*pid, Signal::KILL);
        }
        !left.is_empty()
    });
    round.await.unwrap_or(false)
}
