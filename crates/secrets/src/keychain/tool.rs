//! The Secret Service, by the program `secret-tool` of its own library.
//!
//! A program and no D-Bus crate: a locked keyring may never answer, and of a thread that waits for it nobody gets rid, while a
//! process is ended; and forty crates stay out of everybody's build.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::held::VALUE_BYTES_MAX;
use crate::keychain::fault::KeychainFault;

/// The program; Debian has it in `libsecret-tools`.
const PROGRAM: &str = "secret-tool";
/// Of the hub's variables those that it needs to find the session's bus; the others may hold secrets.
const VARIABLES: [&str; 7] =
    ["PATH", "HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];
/// Bytes of what it says when it fails.
const WORDS_BYTES_MAX: u64 = 1_000;

/// How the program is started.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    variables: Vec<(&'static str, String)>,
    deadline: Duration,
}

/// What a process said.
struct Said {
    succeeded: bool,
    output: Zeroizing<Vec<u8>>,
    words: String,
}

impl Tool {
    pub(crate) fn new(variables: &HashMap<String, String>, deadline: Duration) -> Self {
        let variables = VARIABLES.into_iter().filter_map(|name| Some((name, variables.get(name)?.clone()))).collect();
        Self { variables, deadline }
    }

    /// The value of `account`.
    pub(crate) fn lookup(&self, service: &str, account: &str) -> Result<Zeroizing<Vec<u8>>, KeychainFault> {
        let said = self.run(&["lookup", "service", service, "account", account], "")?;
        match said.succeeded {
            true => Ok(said.output),
            // It says nothing where there is nothing, and where there is something that nobody could be asked to unlock.
            false if said.words.is_empty() => Err(self.missing_or_locked(service, account)?),
            false => Err(KeychainFault::Refused(format!("says: {}", said.words))),
        }
    }

    /// Which of the two it is: what is locked is found all the same, without its value. A default may stand in for what is missing,
    /// and for nothing else.
    fn missing_or_locked(&self, service: &str, account: &str) -> Result<KeychainFault, KeychainFault> {
        let found = self.run(&["search", "--all", "service", service, "account", account], "")?;
        match found.output.is_empty() && found.words.is_empty() {
            true => Ok(KeychainFault::Missing),
            false => Ok(KeychainFault::Refused("is locked, with nobody there to be asked for its password".to_owned())),
        }
    }

    /// Puts a value in, by a pipe: arguments can be read by every user of the machine.
    pub(crate) fn store(&self, service: &str, account: &str, value: &str) -> Result<(), KeychainFault> {
        let label = format!("Omni MCP Hub: {account}");
        let said = self.run(&["store", "--label", &label, "service", service, "account", account], value)?;
        match said.succeeded {
            true => Ok(()),
            false => Err(KeychainFault::Refused(format!("says: {}", said.words))),
        }
    }

    fn run(&self, words: &[&str], input: &str) -> Result<Said, KeychainFault> {
        let mut command = Command::new(PROGRAM);
        command.args(words).env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => KeychainFault::Refused(format!(
                "is asked by `{PROGRAM}`, which is not there (on Debian: package libsecret-tools)"
            )),
            _ => KeychainFault::Refused(format!("cannot be asked: {error}")),
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends without reading says why itself.
            let _it_may_not_listen = stdin.write_all(input.as_bytes());
        }
        let done = self.wait(&mut child);
        if done.is_err() {
            let _it_may_have_ended = child.kill();
        }
        let _nothing_is_left_behind = child.wait();
        done
    }

    /// Reads what the process says until it ends, on threads of their own, for as long as the deadline allows.
    fn wait(&self, child: &mut Child) -> Result<Said, KeychainFault> {
        let gone = || KeychainFault::Refused("cannot be read".to_owned());
        let (mut stdout, mut stderr) = (child.stdout.take().ok_or_else(gone)?, child.stderr.take().ok_or_else(gone)?);
        let (sender, receiver) = sync_channel(1);
        std::thread::spawn(move || {
            let mut output = Zeroizing::new(Vec::with_capacity(VALUE_BYTES_MAX + 1));
            let read = stdout.by_ref().take(VALUE_BYTES_MAX as u64 + 1).read_to_end(&mut output);
            let mut words = String::new();
            let _as_far_as_it_can_be_read = stderr.by_ref().take(WORDS_BYTES_MAX).read_to_string(&mut words);
            let _nobody_may_wait = sender.send((read, output, words));
        });
        let (read, output, words) = receiver.recv_timeout(self.deadline).map_err(|_| {
            KeychainFault::Refused(format!(
                "did not answer within {} s: it may be locked, with nobody there to be asked for its password",
                self.deadline.as_secs()
            ))
        })?;
        read.map_err(|error| KeychainFault::Refused(format!("cannot be read: {error}")))?;
        let status = child.wait().map_err(|error| KeychainFault::Refused(format!("cannot be asked: {error}")))?;
        let words = words.trim().replace(['\n', '\r'], " ");
        Ok(Said { succeeded: status.success(), output, words })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::{PROGRAM, Tool};
    use crate::keychain::fault::KeychainFault;

    /// A folder in which `secret-tool` is a script.
    fn tool(script: &str, deadline: Duration) -> (tempfile::TempDir, Tool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PROGRAM);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let search = format!("{}:/usr/bin:/bin", folder.path().display());
        let variables: HashMap<String, String> =
            [("PATH".to_owned(), search), ("TOKEN".to_owned(), "not-for-it".to_owned())].into();
        let tool = Tool::new(&variables, deadline);
        (folder, tool)
    }

    #[test]
    fn sec_3_the_program_is_asked_and_told_nothing_by_arguments() {
        let long = Duration::from_secs(60);
        let (_folder, asked) = tool(r#"echo "$* ${TOKEN:-none}""#, long);
        let said = asked.lookup("s", "ada").unwrap();
        assert_eq!(said.as_slice(), b"lookup service s account ada none\n");
        let (folder, asked) = tool(r#"cat > "$(dirname "$0")/got"; echo "$*" > "$(dirname "$0")/words""#, long);
        asked.store("s", "ada", "hunter2").unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("got")).unwrap(), "hunter2");
        assert!(!std::fs::read_to_string(folder.path().join("words")).unwrap().contains("hunter2"));
        let (_folder, asked) = tool("exit 1", long);
        assert_eq!(asked.lookup("s", "ada").unwrap_err(), KeychainFault::Missing);
        let (_folder, asked) = tool("[ $1 = search ] && echo found; exit 1", long);
        assert!(
            matches!(asked.lookup("s", "ada").unwrap_err(), KeychainFault::Refused(why) if why.contains("is locked"))
        );
        let (_folder, asked) = tool("echo no bus >&2; exit 1", long);
        let refused = KeychainFault::Refused("says: no bus".to_owned());
        assert_eq!(asked.lookup("s", "ada").unwrap_err(), refused);
    }

    #[test]
    fn sec_3_one_that_never_answers_is_ended() {
        let (folder, asked) = tool(r#"echo $$ > "$(dirname "$0")/pid"; exec sleep 1000"#, Duration::from_secs(2));
        let told = asked.lookup("s", "ada").unwrap_err();
        assert!(matches!(&told, KeychainFault::Refused(why) if why.contains("it may be locked")), "{told:?}");
        if let Ok(pid) = std::fs::read_to_string(folder.path().join("pid")) {
            assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "it was waited for");
        }
        let none = Tool::new(&HashMap::from([("PATH".to_owned(), "/nowhere".to_owned())]), Duration::from_secs(2));
        let told = none.lookup("s", "ada").unwrap_err();
        assert!(matches!(&told, KeychainFault::Refused(why) if why.contains("libsecret-tools")), "{told:?}");
    }
}
