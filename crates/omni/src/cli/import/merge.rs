//! Found servers put beside those that are there: same, taken, invalid, new.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::cli::import::found::{Found, Outcome};
use crate::cli::own_file::OwnFile;
use crate::cli::secrets;
use crate::config::{ServerSettings, server_name_fault};

/// Names tried when one is taken.
const NAMES_TRIED_MAX: usize = 99;
/// As in the rule for names.
const NAME_CHARS_MAX: usize = 32;

/// What became of one server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// What it runs or calls, without values that may be secret.
    pub(crate) what: String,
    pub(crate) status: String,
    pub(crate) added: bool,
    /// Sentences for the person, each naming keys and never values.
    pub(crate) notes: Vec<String>,
}

/// Puts one server into the file, or says why not.
pub(crate) fn merge(file: &mut OwnFile, source: &str, found: Found) -> Result<Row> {
    let row = |name: String, what: String, status: String| Row { name, what, status, added: false, notes: Vec::new() };
    let server = match found.outcome {
        Outcome::Skipped(reason) => return Ok(row(found.name, String::new(), format!("skipped: {reason}"))),
        Outcome::Server(server) => settled(*server, found.base.as_deref(), file.path.parent(), !found.unset.is_empty()),
    };
    let what = what(&server);
    let entry = serde_json::to_value(&server)?;
    let there = file.servers()?;
    let valid = valid_name(&found.name);
    for (index, name) in names(&valid, source).enumerate() {
        match there.iter().find(|(taken, _)| *taken == name) {
            Some((_, same)) if alike(same, &entry) => {
                let name_there = if name == found.name { String::new() } else { format!(" as {name}") };
                return Ok(row(found.name, what, format!("already there{name_there}")));
            }
            Some(_) => {}
            None => {
                let added = file.add_or_keep(&name, &server)?;
                let verb = if added { "added" } else { "by hand" };
                let mut status = if name == found.name {
                    verb.to_owned()
                } else if index == 0 {
                    format!("{verb} as {name}: the name is not valid here")
                } else {
                    format!("{verb} as {name}: the name is taken")
                };
                let mut notes = found.notes;
                if !found.unset.is_empty() {
                    let unset = found.unset.join(", ");
                    status.push_str(&format!("; disabled until {unset} is set"));
                    notes.push(format!(
                        "needs {unset}, not set now: set it, then take `disabled: true` out of servers.{name}"
                    ));
                }
                notes.extend(secrets::literal(&server).into_iter().map(|key| {
                    format!("{key} looks like a secret written out; `${{ENV:NAME}}` takes it from the environment")
                }));
                return Ok(Row { name: found.name, what, status, added, notes });
            }
        }
    }
    Ok(row(found.name, what, "skipped: no free name".to_owned()))
}

/// Relative paths made to hold from where our file is; disabled while a variable is missing, so that the rest can run.
fn settled(mut server: ServerSettings, base: Option<&Path>, folder: Option<&Path>, disabled: bool) -> ServerSettings {
    server.disabled = disabled;
    if let Some(base) = base.filter(|base| Some(*base) != folder && server.command.is_some()) {
        let joined = |path: &Path| base.join(path).components().collect::<PathBuf>();
        let relative = |text: &str| !text.starts_with(['/', '~', '$']);
        server.cwd = Some(match &server.cwd {
            Some(cwd) if relative(&cwd.to_string_lossy()) => joined(cwd),
            Some(cwd) => cwd.clone(),
            None => base.to_owned(),
        });
        if let Some(command) = server.command.as_mut().filter(|command| command.contains('/') && relative(command)) {
            *command = joined(Path::new(command)).to_string_lossy().into_owned();
        }
    }
    server
}

/// The same server, whether enabled or not and however described.
fn alike(there: &Value, entry: &Value) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        if let Some(map) = value.as_object_mut() {
            map.shift_remove("disabled");
            map.shift_remove("description");
        }
        value
    };
    bare(there) == bare(entry)
}

/// The name itself, then with the source, then with numbers.
fn names<'a>(name: &'a str, source: &'a str) -> impl Iterator<Item = String> + 'a {
    let suffixed = move |suffix: &str| {
        let room = NAME_CHARS_MAX - suffix.len();
        let start: String = name.chars().take(room).collect();
        format!("{}{suffix}", start.trim_end_matches(['-', '_']))
    };
    std::iter::once(name.to_owned())
        .chain(std::iter::once(suffixed(&format!("-{source}"))))
        .chain((2..=NAMES_TRIED_MAX).map(move |number| suffixed(&format!("-{number}"))))
}

/// The nearest valid name.
fn valid_name(name: &str) -> String {
    if server_name_fault(name).is_none() {
        return name.to_owned();
    }
    let mut valid = String::new();
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        if !(matches!(c, '-' | '_') && valid.ends_with(['-', '_'])) {
            valid.push(c);
        }
    }
    let valid: String = valid.trim_matches(['-', '_']).chars().take(NAME_CHARS_MAX).collect();
    let valid = valid.trim_end_matches(['-', '_']);
    if valid.is_empty() { "server".to_owned() } else { valid.to_owned() }
}

/// The program with the first argument that is no option, or the address without its query.
fn what(server: &ServerSettings) -> String {
    match (&server.command, &server.url) {
        (Some(command), _) => {
            let plain = |arg: &String| !arg.starts_with('-') && !arg.contains("://") && !arg.contains('=');
            let index = server.args.iter().position(plain);
            let argument = index.filter(|index| !secrets::is_secret_argument(&server.args, *index));
            let argument = argument.map(|index| &server.args[index]);
            [Some(command), argument].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
        }
        (None, Some(url)) => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_argument_is_not_shown() {
        let of = |args: &[&str]| {
            let args = args.iter().map(|arg| (*arg).to_owned()).collect();
            what(&ServerSettings { command: Some("x".to_owned()), args, ..ServerSettings::default() })
        };
        assert_eq!(of(&["-y", "pkg", "--token", "abc"]), "x pkg");
        assert_eq!(of(&["--token", "abc"]), "x");
        assert_eq!(of(&["sk-abc"]), "x");
    }

    #[test]
    fn names_become_valid_and_free() {
        for (name, valid) in [
            ("github", "github"),
            ("My Server!", "My-Server"),
            ("a__b", "a_b"),
            ("_x_", "x"),
            ("日本", "server"),
            ("abcdefghijklmnopqrstuvwxyz-0123456789", "abcdefghijklmnopqrstuvwxyz-01234"),
        ] {
            assert_eq!(valid_name(name), valid);
            assert_eq!(server_name_fault(&valid_name(name)), None);
        }
        let long = "a".repeat(32);
        for name in names(&long, "claude-desktop").chain(names("git", "cursor")) {
            assert_eq!(server_name_fault(&name), None, "{name}");
        }
        assert_eq!(names("git", "cursor").take(3).collect::<Vec<_>>(), ["git", "git-cursor", "git-2"]);
    }
}
