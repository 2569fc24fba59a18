//! Steps of a command: run one after another, timed, all told at the end with the way to run a failed one again.

use crate::own;
use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Variables that `cargo run` sets for this program and that would make cargo rebuild crates that watch them.
const OWN_VARIABLES: &[&str] =
    &["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Passed,
    Failed(String),
    Skipped(String),
}

/// A finished step.
#[derive(Debug)]
struct Done {
    name: &'static str,
    rerun: String,
    took: Duration,
    end: End,
}

/// Where what runs beside other steps leaves what it says.
const BESIDE: &str = "target/beside";

/// A step that runs beside others. Dropped without being waited for, it is ended.
#[derive(Debug)]
pub(crate) struct Beside {
    name: &'static str,
    rerun: String,
    child: Child,
    log: PathBuf,
    start: Instant,
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Both do nothing to one that has ended and was waited for.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The steps of one command so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<Done>,
}

impl Steps {
    /// Runs a program as a step; whether it passed.
    pub(crate) fn program(&mut self, name: &'static str, words: &[&str]) -> bool {
        self.program_with(name, words, &[])
    }

    /// Runs a program with variables set as a step; whether it passed.
    pub(crate) fn program_with(&mut self, name: &'static str, words: &[&str], variables: &[(&str, &str)]) -> bool {
        let rerun = told(words, variables);
        self.call(name, &rerun, || run(words, variables))
    }

    /// Runs a piece of this program as a step; whether it passed.
    pub(crate) fn call(&mut self, name: &'static str, rerun: &str, work: impl FnOnce() -> Result<()>) -> bool {
        println!("\n=== {name}: {rerun}");
        let start = Instant::now();
        let end = match work() {
            Ok(()) => End::Passed,
            Err(error) => {
                println!("{name} failed: {error:#}");
                End::Failed(format!("{error:#}"))
            }
        };
        let passed = end == End::Passed;
        self.done.push(Done { name, rerun: rerun.to_owned(), took: start.elapsed(), end });
        passed
    }

    /// Starts `cargo xtask WORDS` beside what follows; what it says is told when it is waited for.
    pub(crate) fn beside(&self, name: &'static str, words: &[&str]) -> Result<Beside> {
        std::fs::create_dir_all(BESIDE).with_context(|| format!("cannot make {BESIDE}"))?;
        let log = Path::new(BESIDE).join(format!("{name}.log"));
        let file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = own::program()?;
        let child = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        println!("\n=== {name}: cargo xtask {}, beside what follows", words.join(" "));
        Ok(Beside { name, rerun: format!("cargo xtask {}", words.join(" ")), child, log, start: Instant::now() })
    }

    /// Waits for what runs beside; whether it passed.
    pub(crate) fn join(&mut self, beside: Result<Beside>, name: &'static str) -> bool {
        let mut beside = match beside {
            Ok(beside) => beside,
            Err(error) => return self.call(name, "", || Err(error)),
        };
        let start = beside.start;
        let rerun = beside.rerun.clone();
        let passed = self.call(beside.name, &rerun, || {
            let status = beside.child.wait().context("it cannot be waited for")?;
            print!("{}", String::from_utf8_lossy(&std::fs::read(&beside.log)?));
            ensure!(status.success(), "`{rerun}` ended with {status}");
            Ok(())
        });
        if let Some(done) = self.done.last_mut() {
            done.took = start.elapsed();
        }
        passed
    }

    /// Notes a step that was not run, and why.
    pub(crate) fn skip(&mut self, name: &'static str, rerun: &str, reason: &str) {
        println!("\n=== {name}\nSKIPPED: {name}: {reason}");
        let end = End::Skipped(reason.to_owned());
        self.done.push(Done { name, rerun: rerun.to_owned(), took: Duration::ZERO, end });
    }

    /// How many steps passed, failed and were skipped.
    pub(crate) fn count(&self) -> (u64, u64, u64) {
        let count = |is: fn(&End) -> bool| self.done.iter().filter(|done| is(&done.end)).map(|_| 1).sum();
        let failed = count(|end| matches!(end, End::Failed(_)));
        (count(|end| *end == End::Passed), failed, count(|end| matches!(end, End::Skipped(_))))
    }

    /// What every step came to, one a line.
    pub(crate) fn summary(&self) -> String {
        let line = |done: &Done| {
            let (word, more) = match &done.end {
                End::Passed => ("ok", String::new()),
                End::Failed(_) => ("FAILED", format!("  again: {}", done.rerun)),
                End::Skipped(reason) => ("skipped", format!("  {reason}")),
            };
            format!("  {:<8}{:<14}{:>7.1} s{more}\n", word, done.name, done.took.as_secs_f64())
        };
        self.done.iter().map(line).collect()
    }

    /// Prints the summary; the exit code is a failure when a step failed.
    pub(crate) fn finish(&self) -> ExitCode {
        println!("\n{}", self.summary());
        match self.count().1 {
            0 => ExitCode::SUCCESS,
            failed => {
                println!("{failed} failed of {} steps", self.done.len());
                ExitCode::FAILURE
            }
        }
    }
}

/// A program with its arguments, not yet started, in the environment it would have without this program around it.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    for (name, _) in std::env::vars_os() {
        if OWN_VARIABLES.iter().any(|own| name.to_string_lossy().starts_with(own)) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program to its end; an error that names it when it fails.
pub(crate) fn run(words: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    match command(words).envs(variables.iter().copied()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("`{}` ended with {status}", told(words, variables)),
        Err(error) => bail!("`{}` cannot be started: {error}", words[0]),
    }
}

/// A command as a person would type it.
fn told(words: &[&str], variables: &[(&str, &str)]) -> String {
    let quoted = |word: &str| if word.contains(' ') { format!("'{word}'") } else { word.to_owned() };
    let variables = variables.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    variables.chain(words.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_fails_the_whole_and_names_its_command() {
        let mut steps = Steps::default();
        assert!(steps.program_with("good", &["true"], &[("A", "b c")]));
        assert!(!steps.program("bad", &["false", "x"]));
        assert!(!steps.program("gone", &["no-such-program-here"]));
        steps.skip("left", "cargo left", "not to be had");
        assert_eq!(steps.count(), (1, 2, 1));
        let summary = steps.summary();
        assert!(summary.contains("again: false x") && summary.contains("not to be had"), "{summary}");
        assert_eq!(steps.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn steps_that_all_pass_pass() {
        let mut steps = Steps::default();
        assert!(steps.call("good", "", || Ok(())));
        assert_eq!(steps.finish(), ExitCode::SUCCESS);
    }

    #[test]
    fn commands_are_told_as_typed() {
        assert_eq!(told(&["a", "b c"], &[("X", "-D warnings")]), "X='-D warnings' a 'b c'");
    }

    #[test]
    fn cargos_variables_for_this_program_are_not_handed_on() {
        let command = command(&["true"]);
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(removed.iter().any(|name| *name == "CARGO_PKG_NAME"), "{removed:?}");
    }
}
