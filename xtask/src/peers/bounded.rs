//! Programs that are given only so much time, and children that end when their owner does.

use crate::step;
use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How many of its last lines are told of a program that failed.
const TOLD_LINES: usize = 25;

/// Runs `words` in `folder` to its end, at most for `limit`, with what it prints in the file `log`.
pub(crate) fn run(words: &[&str], folder: &Path, log: &Path, limit: Duration) -> Result<ExitStatus> {
    let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = step::command(words);
    command.current_dir(folder).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let mut child = Owned::start(&mut command, words[0])?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.process.try_wait().with_context(|| format!("cannot wait for {}", words[0]))? {
            return Ok(status);
        }
        if start.elapsed() > limit {
            drop(child);
            bail!("`{}` took longer than {} s and was ended\n{}", words.join(" "), limit.as_secs(), last_lines(log));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Runs `words` as [`run`] does; an error with its last lines when it fails.
pub(crate) fn run_well(words: &[&str], folder: &Path, log: &Path, limit: Duration) -> Result<()> {
    let status = run(words, folder, log, limit)?;
    if !status.success() {
        bail!("`{}` ended with {status}\n{}", words.join(" "), last_lines(log));
    }
    Ok(())
}

/// The last lines of a log, to tell why a program failed.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TOLD_LINES)..].join("\n")
}

/// A child in a process group of its own; the group is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Owned {
    /// The child itself.
    pub(crate) process: Child,
}

impl Owned {
    /// Starts `command`; `name` is told when that fails.
    pub(crate) fn start(command: &mut Command, name: &str) -> Result<Self> {
        let process = command.process_group(0).spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { process })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // A child that was waited for has left its id to others.
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn log(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("omni-xtask-{}-{name}.log", std::process::id()))
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_with_its_children() {
        let log = log("slow");
        let words = ["sh", "-c", "echo begun; sleep 30 & echo $!; wait"];
        let error = run(&words, Path::new("."), &log, Duration::from_millis(300)).unwrap_err().to_string();
        assert!(error.contains("begun"), "{error}");
        let sleeper = last_lines(&log).lines().last().unwrap().to_owned();
        let deadline = Instant::now() + Duration::from_secs(5);
        // The orphan may stay a zombie until it is reaped, but it must not run.
        while std::fs::read_to_string(format!("/proc/{sleeper}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < deadline, "the child {sleeper} still runs");
            std::thread::sleep(POLL_INTERVAL);
        }
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_failure_tells_the_last_lines() {
        let log = log("failing");
        let words = ["sh", "-c", "echo the reason >&2; exit 4"];
        let error = run_well(&words, Path::new("."), &log, Duration::from_secs(10)).unwrap_err().to_string();
        assert!(error.contains("exit status: 4") && error.contains("the reason"), "{error}");
        std::fs::remove_file(log).unwrap();
    }
}
