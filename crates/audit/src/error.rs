//! What can go wrong with the lasting log: each error names what, where, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with the lasting log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused.
    #[error("audit log: cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("audit log: {} is damaged at byte {at}: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// At which byte.
        at: u64,
        /// What is wrong there.
        what: String,
    },
    /// Bytes that are no record, note, proof.
    #[error("audit log: not {expected}: {what}")]
    Malformed {
        /// What they should be.
        expected: &'static str,
        /// What is wrong with them.
        what: String,
    },
    /// A key is not there, or does not open what it should.
    #[error("audit log: {0}")]
    Key(String),
    /// Another process writes this log.
    #[error("audit log: {} is written by another hub: stop it, or give this one a data directory of its own", .0.display())]
    Locked(PathBuf),
    /// The records are not those that were signed.
    #[error("audit log: {} does not agree with its checkpoint: {what}. Run `omni audit verify`; keep the directory as evidence and move it aside to begin a new log", path.display())]
    Disagrees {
        /// The log's directory.
        path: PathBuf,
        /// Where.
        what: String,
    },
    /// The record is not under a checkpoint yet.
    #[error(
        "audit log: record {index} is not signed yet: the latest checkpoint is over {size} records. Ask again in a moment; where no hub runs, the next one signs it"
    )]
    NotSigned {
        /// Which record.
        index: u64,
        /// What is signed.
        size: u64,
    },
    /// A legal hold stands.
    #[error("audit log: {} is there, a legal hold: nothing is deleted until it is taken away", .0.display())]
    Held(PathBuf),
    /// Its beginning is not there any more.
    #[error(
        "audit log: records before {0} were deleted after they were kept long enough, and this needs all of them: copy `checkpoint` and `tile/` instead"
    )]
    BeginsLater(u64),
    /// The record is not in the log.
    #[error("audit log: there is no record {0}")]
    NotThere(u64),
    /// The queue is full, or what was recorded could not be made durable.
    #[error("audit log: not recorded: {0}")]
    NotRecorded(String),
}

impl LogError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, at: u64, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), at, what: what.into() }
    }

    pub(crate) fn malformed(expected: &'static str, what: impl Into<String>) -> Self {
        Self::Malformed { expected, what: what.into() }
    }
}
