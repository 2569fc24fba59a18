//! The section `profiles` of the configuration.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fill::is_name;
use crate::name::ProfileName;

/// The API of GitHub.
const GITHUB_API: &str = "https://api.github.com";

/// Folders below one another that are looked into.
const DEPTH_MAX: u64 = 10;

/// Where profiles are looked for, and what clients may do with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfilesSettings {
    /// Folders that are looked through; relative paths are relative to this file. A folder that is not there holds none.
    pub paths: Vec<PathBuf>,
    /// Files that are profiles, by name, wherever they are.
    #[schemars(with = "std::collections::BTreeMap<String, PathBuf>")]
    pub files: IndexMap<String, PathBuf>,
    /// Only files that one of these patterns covers, such as `team/**`; without any, all. A pattern without `/` is about a
    /// file's own name.
    pub include: Vec<String>,
    /// No file or folder that one of these patterns covers.
    pub exclude: Vec<String>,
    /// Endings of files that are looked at.
    pub extensions: Vec<String>,
    /// Folders below the ones above that are looked into, one below another; 0 is none.
    #[schemars(range(max = 10))]
    pub depth_max: u64,
    /// Whether files and folders whose name begins with a dot are looked at.
    pub hidden: bool,
    /// Whether symbolic links are followed, as Kubernetes mounts need it; they never lead out of their folder.
    pub symlinks: bool,
    /// Profiles from elsewhere, by a name for each source. What `omni profile update` showed and somebody accepted is in force, pinned
    /// in `lock`, and nothing else.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "std::collections::BTreeMap<String, RemoteSettings>")]
    pub remote: IndexMap<String, RemoteSettings>,
    /// Hosts from which files may be fetched by their `https://` address, such as `profiles.example.com` or `*.example.com`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_hosts: Vec<String>,
    /// Hosts that may lie in this machine's own network; every other one is reached at public addresses alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub private_hosts: Vec<String>,
    /// The API of GitHub, or of your GitHub Enterprise Server (`https://HOST/api/v3`).
    #[serde(skip_serializing_if = "is_public_github")]
    pub github_api: String,
    /// The file that pins what was accepted. It belongs into version control.
    pub lock: PathBuf,
    /// Variables of profiles (`${name}`), by name. They go before those that profiles bring.
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub variables: IndexMap<String, String>,
}

/// One source of profiles.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoteSettings {
    /// `github:OWNER/REPO[/PATH]@REF`, or the `https://` address of one file.
    pub from: String,
    /// A reference to a secret (`${SECRET:github-token}`) that is shown as bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Public keys of minisign (`RW…`). With any, each file needs a signature of one of them beside it (`dev.md.minisig`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
}

impl Default for ProfilesSettings {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            paths: vec!["configs".into(), "profiles".into()],
            files: IndexMap::new(),
            include: Vec::new(),
            exclude: texts(&["*.tmp", "*.backup", "*~", ".git/**", "node_modules/**", "dist/**"]),
            extensions: texts(&[".md", ".markdown", ".txt"]),
            depth_max: 3,
            hidden: false,
            symlinks: false,
            remote: IndexMap::new(),
            remote_hosts: Vec::new(),
            private_hosts: Vec::new(),
            github_api: GITHUB_API.to_owned(),
            lock: "omni.lock".into(),
            variables: IndexMap::new(),
        }
    }
}

impl ProfilesSettings {
    /// What is wrong with them, each with its key.
    #[must_use]
    pub fn faults(&self) -> Vec<(Vec<String>, String)> {
        let mut found = Vec::new();
        if self.depth_max > DEPTH_MAX {
            let why = format!("{}: folders are looked into {DEPTH_MAX} deep at most", self.depth_max);
            found.push((vec!["depth_max".to_owned()], why));
        }
        for name in self.files.keys() {
            if let Err(why) = ProfileName::parse(name) {
                found.push((vec!["files".to_owned(), name.clone()], format!("`{name}`: {why}")));
            }
        }
        for name in self.variables.keys().filter(|name| !is_name(name)) {
            let why = format!("`{name}` is no name of a variable: letters, digits and `_`, no digit first");
            found.push((vec!["variables".to_owned(), name.clone()], why));
        }
        for (name, source) in &self.remote {
            let key = |part: &str| vec!["remote".to_owned(), name.clone(), part.to_owned()];
            if let Err(why) = ProfileName::parse(name) {
                found.push((vec!["remote".to_owned(), name.clone()], format!("`{name}`: {why}")));
            }
            found.extend(source.fault().map(|(part, why)| (key(part), why)));
        }
        if !self.github_api.starts_with("https://") {
            found.push((vec!["github_api".to_owned()], format!("`{}` is no https:// address", self.github_api)));
        }
        found
    }

    /// The same with every path made absolute by `place`.
    pub fn resolve(&mut self, place: impl Fn(&std::path::Path) -> PathBuf) {
        self.paths
            .iter_mut()
            .chain(self.files.values_mut())
            .chain([&mut self.lock])
            .for_each(|path| *path = place(path));
    }
}

fn is_public_github(url: &String) -> bool {
    url == GITHUB_API
}
