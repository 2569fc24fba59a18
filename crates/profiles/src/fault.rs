//! What is wrong with a profile: file, line and column, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why a profile is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFault {
    /// The file.
    pub file: PathBuf,
    /// Line and column, counted from 1, where one place is meant.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl ProfileFault {
    /// About the whole of `file`.
    pub(crate) fn whole(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, message: message.into() }
    }

    /// At line and column `place` of `file`.
    pub(crate) fn at(file: &Path, place: (usize, usize), message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: Some(place), message: message.into() }
    }
}

impl fmt::Display for ProfileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file.display(), self.message),
            None => write!(f, "{}: {}", self.file.display(), self.message),
        }
    }
}

impl std::error::Error for ProfileFault {}
