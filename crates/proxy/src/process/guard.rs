//! The guard between the hub and a stdio server: it ends the server's whole process tree when the hub is gone.
//!
//! `omni guard -- COMMAND ARGS…` starts the server on its own standard streams, so nothing is copied through it, and
//! watches for two things: the server's end, and the end of whoever holds the other end of standard input. The kernel
//! closes that pipe however the hub dies, also by `kill -9`, so nothing has to be sent and nothing can be missed.
//! As child subreaper it inherits what the server leaves behind, also in other sessions and process groups. Should the
//! guard itself be killed, the hub does its work (`orphans.rs`).

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, setsid, wait};

use crate::process::tree::descendants;

/// From the end of standard input to SIGTERM, and from there to SIGKILL (stdio transport, "Shutdown").
const GRACE: Duration = Duration::from_secs(2);
/// Rounds of killing: a tree that forks while it dies is hunted for this long and no longer.
const KILL_ROUNDS_MAX: u32 = 200;
/// Between two rounds.
const KILL_PAUSE: Duration = Duration::from_millis(5);
/// What a shell answers where a program cannot be started.
const EXIT_NOT_STARTED: u8 = 127;
/// What a shell adds to the number of the signal that ended a program.
const SIGNALLED: i32 = 128;

/// Runs `command` under guard until it ends or standard input does.
#[must_use]
pub fn run(command: &OsString, args: &[OsString]) -> ExitCode {
    match guard(command, args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("omni guard: cannot run {}: {error}", command.display());
            ExitCode::from(EXIT_NOT_STARTED)
        }
    }
}

fn guard(command: &OsString, args: &[OsString]) -> io::Result<ExitCode> {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    // A session of its own: by its number the hub finds what is left, should this process be killed. Who started it as the
    // leader of a group does without.
    let _leads_already = setsid();
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let mut child = Command::new(command).args(args).process_group(0).spawn()?;
    let pid = Pid::from_child(&child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    if !wait_for_end_or_hangup(&pidfd)? && !wait_for_end(&pidfd, GRACE)? {
        // Asked politely first, all of them: a shell wrapper does not pass a signal on.
        signal_descendants(Signal::TERM);
        let _ended = wait_for_end(&pidfd, GRACE)?;
    }
    // Its own status first: whoever kills the others reaps whatever has ended.
    let status = match child.try_wait()? {
        Some(status) => status,
        None => {
            child.kill()?;
            child.wait()?
        }
    };
    kill_descendants();
    // As a shell tells the end by a signal.
    let by_signal = status.signal().map(|signal| SIGNALLED + signal);
    Ok(ExitCode::from(status.code().or(by_signal).and_then(|c| u8::try_from(c).ok()).unwrap_or(1)))
}

/// `true` when the server ended, `false` when the hub let go of standard input.
fn wait_for_end_or_hangup(pidfd: &OwnedFd) -> io::Result<bool> {
    let stdin = io::stdin();
    loop {
        // No events are asked for on standard input: a hang-up is told all the same, data stays for the server.
        let mut fds = [PollFd::new(pidfd, PollFlags::IN), PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::empty())];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        if !fds[0].revents().is_empty() {
            return Ok(true);
        }
        if fds[1].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Ok(false);
        }
    }
}

fn wait_for_end(pidfd: &OwnedFd, limit: Duration) -> io::Result<bool> {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = rustix::event::Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other? > 0),
        }
    }
}

fn signal_descendants(signal: Signal) {
    for pid in descendants(getpid()) {
        // It may have ended in the meantime.
        let _gone = kill_process(pid, signal);
    }
}

/// Kills until nothing is left: what a killed process leaves behind is handed to this one and found in the next round.
fn kill_descendants() {
    for _ in 0..KILL_ROUNDS_MAX {
        let alive = descendants(getpid());
        if alive.is_empty() {
            return;
        }
        for pid in alive {
            let _gone = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(KILL_PAUSE);
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }
}
