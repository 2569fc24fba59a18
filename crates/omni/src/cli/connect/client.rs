//! What is known of a client: where its settings are and how it writes a server.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::config::Surroundings;

/// For whom an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// For this user, everywhere.
    User,
    /// For everyone in this directory.
    Project,
}

/// An entry for the hub at an address.
type HttpEntry = fn(&str) -> Map<String, Value>;

/// One client. Each is a file beside this one and a line in the table.
pub(crate) struct Client {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Its name for people.
    pub(crate) title: &'static str,
    /// The member of its file that holds the servers.
    pub(crate) container: &'static str,
    /// Its file; `None` where it has none for that scope on this system.
    pub(crate) file: fn(Scope, &Surroundings) -> Option<PathBuf>,
    /// An entry for the hub over HTTP, to which headers can be added under `headers`; `None` where its file cannot name one.
    pub(crate) http: Option<HttpEntry>,
    /// An entry that starts the hub.
    pub(crate) stdio: fn(&str, &[String]) -> Value,
    /// What to do for the client to see the change.
    pub(crate) afterwards: &'static str,
}

/// An entry of these members.
pub(crate) fn entry<const N: usize>(members: [(&str, &str); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}
