//! How a log is written.

use std::path::PathBuf;
use std::time::Duration;

use crate::keys::KeyElsewhere;

/// How a log is written.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Its directory, which no other log may have.
    pub directory: PathBuf,
    /// What an answer waits for.
    pub durability: Durability,
    /// Events that may wait to be written. A crash loses at most twice as many in fast mode: as many wait, and as many are
    /// being written.
    pub queue_records_max: usize,
    /// Bytes of events that may wait to be written, as they are estimated when they are recorded.
    pub queue_bytes_max: usize,
    /// How long an event waits at most for others to be written with, in fast mode.
    pub group: Duration,
    /// How often a checkpoint is signed at most.
    pub checkpoint_every: Duration,
    /// Bytes after which a segment is closed.
    pub segment_bytes_max: u64,
    /// The encryption key, where it is kept elsewhere than beside the log.
    pub key_elsewhere: Option<KeyElsewhere>,
    /// How long records are to be kept; it is written into each segment.
    pub retention: Duration,
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// For nothing: a crash loses what waits in the queue.
    Fast,
    /// For its record to be on the disk.
    Strict,
}

const DAY: Duration = Duration::from_secs(86_400);

impl LogSettings {
    /// The defaults, in this directory.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            durability: Durability::Fast,
            queue_records_max: 16_384,
            queue_bytes_max: 32 << 20,
            group: Duration::from_millis(20),
            checkpoint_every: Duration::from_millis(500),
            segment_bytes_max: 64 << 20,
            key_elsewhere: None,
            retention: DAY * 2557,
        }
    }
}
