//! What verification found.

use std::fmt;
use std::path::PathBuf;

use crate::tree::Hash;

/// Something that is not as it was signed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, where it is in one.
    pub path: Option<PathBuf>,
    /// The byte in it.
    pub byte: Option<u64>,
    /// The record.
    pub index: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl Finding {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { path: None, byte: None, index: None, what: what.into() }
    }

    pub(super) fn of(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }

    pub(super) fn at(mut self, path: impl Into<PathBuf>, byte: u64) -> Self {
        self.path = Some(path.into());
        self.byte = Some(byte);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        if let Some(byte) = self.byte {
            write!(f, "byte {byte}: ")?;
        }
        if let Some(index) = self.index {
            write!(f, "record {index}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// The outcome of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Records that were read.
    pub records: u64,
    /// The size of the log: one more than the index of its last record.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// Segments that were read.
    pub segments: usize,
    /// Checkpoints that the records were held against.
    pub checkpoints: usize,
    /// The size that the latest of them states: what comes after it, nothing was signed for yet.
    pub signed: u64,
    /// What is not as it should be. Empty: the log is whole.
    pub findings: Vec<Finding>,
    /// Findings beyond those that are listed.
    pub more: u64,
    /// What a crash left and nobody needs to worry about.
    pub notes: Vec<String>,
}

/// Findings that are listed at most: a log that is wrong from some place on would name every record.
const FINDINGS_MAX: usize = 1000;

impl Verification {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn found(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}
