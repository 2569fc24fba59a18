//! Finding, reading and checking `omni.yaml`.

use std::path::{Path, PathBuf};

use crate::config::check::{self, Complaint};
use crate::config::error::{ConfigErrors, Problem};
use crate::config::expand::{Delivery, expand};
use crate::config::file::read_file;
use crate::config::nearest::nearest;
use crate::config::node::{self, Node};
use crate::config::settings::Settings;
use crate::config::surroundings::Surroundings;
use crate::config::{paths, policy, schema, shape};

/// The file's name where it is looked for.
pub(crate) const FILE_NAME: &str = "omni.yaml";

/// A configuration with its meaning: variables put in, paths absolute, everything checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// What the file says.
    pub(crate) settings: Settings,
    /// The file.
    pub(crate) origin: PathBuf,
    /// What is probably not meant, but does not keep the hub from running.
    pub(crate) warnings: ConfigErrors,
}

/// Reads and checks a file.
pub(crate) fn load(path: &Path, around: &Surroundings) -> Result<Config, ConfigErrors> {
    let path = paths::absolute(path, &around.cwd, around.home.as_deref());
    let text = read_file(&path).map_err(|problem| ConfigErrors::new(&path, "", vec![problem]))?;
    parse_in(&text, &path, around)
}

/// Checks a text as if it stood in the file `origin`, an absolute path.
pub(crate) fn parse_in(text: &str, origin: &Path, around: &Surroundings) -> Result<Config, ConfigErrors> {
    let fail = |problems| ConfigErrors::new(origin, text, problems);
    let mut root = node::read(text).map_err(|problem| fail(vec![problem]))?;
    let mut problems = Vec::new();
    let deliveries = expand(&mut root, around, &mut problems);
    let (value, misshapen) = shape::check(&root, &schema::schema());
    problems.extend(misshapen);
    let mut settings = match serde_json::from_value::<Settings>(value) {
        Ok(settings) => settings,
        Err(error) => {
            if problems.is_empty() {
                problems.push(Problem::whole(error.to_string()));
            }
            return Err(fail(problems));
        }
    };
    deliver(&mut settings, deliveries);
    problems.extend(placed(&root, check::settings_problems(&settings, &|server, field| states(&root, server, field))));
    if !problems.is_empty() {
        return Err(fail(problems));
    }
    let warnings = fail(placed(&root, check::settings_warnings(&settings)));
    let folder = origin.parent().unwrap_or(Path::new("/"));
    paths::resolve(&mut settings, folder, around.home.as_deref());
    let mut problems = placed(&root, policy::read_sources(&mut settings));
    if problems.is_empty() {
        let (complaints, of_files) = policy::faults(&settings);
        problems = placed(&root, complaints);
        problems.extend(of_files);
    }
    if !problems.is_empty() {
        return Err(fail(problems));
    }
    Ok(Config { settings, origin: origin.to_owned(), warnings })
}

/// Texts that were kept apart go to their servers, whose values are put in when they start.
fn deliver(settings: &mut Settings, deliveries: Vec<Delivery>) {
    for Delivery { server, part, key, text } in deliveries {
        let Some(entry) = settings.servers.get_mut(&server) else { continue };
        let texts = if part == "env" { &mut entry.secret_env } else { &mut entry.secret_headers };
        texts.insert(key, text);
    }
}

/// Whether a server's entry has a key, be it misspelt: then that is the complaint, and not that it is missing.
fn states(root: &Node, server: &str, field: &str) -> bool {
    let Some((_, entry)) = root.entry("servers").and_then(|(_, servers)| servers.entry(server)) else { return false };
    let kinds = || ["command", "url", "builtin"].into_iter();
    entry.entries().iter().any(|(key, node)| {
        let meant = key.name == field || nearest(&key.name, kinds()) == Some(field);
        meant && !matches!(node.value, node::Value::Null)
    })
}

/// Gives each complaint its place and says at which key it is.
fn placed(root: &Node, complaints: Vec<Complaint>) -> Vec<Problem> {
    let problem = |complaint: Complaint| {
        let place = root.find(&complaint.path, complaint.key);
        Problem::at(place, format!("{}: {}", complaint.path.join("."), complaint.message))
    };
    complaints.into_iter().map(problem).collect()
}

/// The file to use: the one asked for, else `./omni.yaml`, else `$XDG_CONFIG_HOME/omni/omni.yaml`.
pub(crate) fn discover(explicit: Option<&Path>, around: &Surroundings) -> Option<PathBuf> {
    if let Some(path) = explicit {
        return Some(paths::absolute(path, &around.cwd, around.home.as_deref()));
    }
    let candidates =
        [Some(around.cwd.join(FILE_NAME)), around.own_config_home().map(|home| home.join("omni").join(FILE_NAME))];
    candidates.into_iter().flatten().find(|path| path.is_file())
}

/// Where the hub keeps what it must remember.
pub(crate) fn data_dir(settings: &Settings, around: &Surroundings) -> Option<PathBuf> {
    settings.data_dir.clone().or_else(|| Some(around.data_home()?.join("omni")))
}
