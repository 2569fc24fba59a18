//! What an import finds in one file.

use std::path::{Path, PathBuf};

use crate::config::{ServerSettings, Surroundings};

/// One kind of file that servers are imported from.
pub(crate) struct Source {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Where its files are for this user and directory, the most specific first.
    pub(crate) places: fn(&Surroundings) -> Vec<PathBuf>,
    /// Reads one of them; the error says what is wrong and where in the text.
    pub(crate) read: fn(&File<'_>) -> Result<Reading, String>,
}

/// A file that was read.
pub(crate) struct File<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
    pub(crate) around: &'a Surroundings,
}

/// What a file held.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) found: Vec<Found>,
    /// What was not imported, or should be known; never a value that may be secret.
    pub(crate) notes: Vec<String>,
}

/// A server that a file names.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    /// The directory that its relative paths are meant from; `None` for entries that hold everywhere.
    pub(crate) base: Option<PathBuf>,
    /// Variables that it needs and that are not set now.
    pub(crate) unset: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// Whether it can be imported.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As it will be written.
    Server(Box<ServerSettings>),
    /// Why not.
    Skipped(String),
}
