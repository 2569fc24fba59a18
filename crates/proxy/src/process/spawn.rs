//! Starting a stdio server: its program, environment and streams.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use crate::error::LinkError;
use crate::spec::StdioSpec;

/// How the guard process is started: this program with these arguments before `-- COMMAND`.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The program, usually the hub's own.
    pub program: PathBuf,
    /// Its arguments up to the server's command.
    pub args: Vec<OsString>,
}

/// Variables that a server inherits from the hub; everything else its entry has to name.
const INHERITED: [&str; 10] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ", "LANG", "LANGUAGE"];

/// A started server.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) process: tokio::process::Child,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

/// Starts the server that `spec` describes.
///
/// # Errors
/// When there is no such program or working directory, or the system refuses.
pub(crate) fn spawn(spec: &StdioSpec, guard: Option<&Guard>) -> Result<Child, LinkError> {
    let env = environment(&spec.env);
    let fail = |why: String| LinkError::NotStarted { command: spec.command.clone(), why };
    let program =
        find_program(&spec.command, env.get("PATH").map(String::as_str), spec.cwd.as_deref()).map_err(fail)?;
    if let Some(cwd) = spec.cwd.as_deref().filter(|cwd| !cwd.is_dir()) {
        return Err(fail(format!("its working directory {} does not exist", cwd.display())));
    }
    let mut command = match guard {
        Some(guard) => {
            let mut command = Command::new(&guard.program);
            command.args(&guard.args).arg("--").arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(&spec.args).env_clear().envs(env).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(false);
    if guard.is_none() {
        // A group of its own: a Ctrl-C at the terminal ends the hub, which then ends its servers in order. A guard opens a
        // session of its own, which the leader of a group could not.
        command.process_group(0);
    }
    if let Some(cwd) = &spec.cwd {
        command.current_dir(cwd);
    }
    let mut process = command.spawn().map_err(|e| fail(e.to_string()))?;
    match (process.stdin.take(), process.stdout.take(), process.stderr.take()) {
        (Some(stdin), Some(stdout), Some(stderr)) => Ok(Child { process, stdin, stdout, stderr }),
        _ => Err(fail("its streams could not be opened".to_owned())),
    }
}

fn environment(own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let locale = std::env::vars().filter(|(key, _)| key.starts_with("LC_"));
    let inherited = INHERITED.iter().filter_map(|key| std::env::var(key).ok().map(|value| ((*key).to_owned(), value)));
    let mut env: BTreeMap<String, String> = locale.chain(inherited).collect();
    env.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
    env
}

/// Finds `command` as a shell would, so that a missing program is told before anything is started.
///
/// # Errors
/// Why it cannot be run, in words for a person.
pub fn find_program(command: &str, path: Option<&str>, cwd: Option<&Path>) -> Result<PathBuf, String> {
    if command.contains('/') {
        let whole = cwd.map_or_else(|| PathBuf::from(command), |cwd| cwd.join(command));
        return if is_executable(&whole) {
            Ok(whole)
        } else {
            Err(format!("{} is no executable file", whole.display()))
        };
    }
    std::env::split_paths(path.unwrap_or_default())
        .map(|folder| folder.join(command))
        .find(|candidate| is_executable(candidate))
        .ok_or_else(|| format!("there is no program `{command}` in PATH; install it, or give its full path"))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::find_program;

    #[test]
    fn a_missing_program_is_told_in_words() {
        assert!(find_program("sh", std::env::var("PATH").ok().as_deref(), None).is_ok());
        let error = find_program("no-such-program-omni", Some("/usr/bin"), None);
        assert!(error.is_err_and(|e| e.contains("no-such-program-omni")));
        assert!(find_program("./nothing", None, None).is_err());
    }
}
