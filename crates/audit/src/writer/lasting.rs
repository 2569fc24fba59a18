//! The lasting log as everybody else knows it: a handle that events are given to.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::disk::{Disk, RealDisk};
use super::entry::now_us;
use super::opening::open;
use super::queue::{Command, Queue};
use super::settings::{Durability, LogSettings};
use super::thread::Writer;
use crate::error::LogError;
use crate::event::Event;
use crate::keys::Identity;
use crate::prune::Pruning;
use crate::sink::{LogKey, NotRecorded, Recording, Sink};
use crate::tree::Frontier;
use crate::who::Who;

/// A log that lasts and can be checked. A clone costs one counter; the last one to go closes it, which waits until all is
/// written.
#[derive(Clone)]
pub struct LastingLog(Arc<Open>);

pub(super) struct Open {
    queue: Arc<Queue>,
    durability: Durability,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub(super) directory: PathBuf,
    pub(super) retention_us: Arc<AtomicU64>,
    /// Held while it is found out what may be deleted, and while that is deleted.
    pub(super) pruning: Mutex<()>,
    /// Held while something is deleted: the log stays locked until that is done.
    pub(super) deleting: Mutex<()>,
}

/// How the log does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Why it cannot be written, where it cannot.
    pub failing: Option<String>,
    /// Records that are durable.
    pub records: u64,
    /// Events that wait to be written.
    pub waiting: usize,
    /// Events that were not recorded since it was opened.
    pub shed: u64,
}

impl LastingLog {
    /// Opens the log, or begins one; recovers what a crash left. What was found comes back as sentences for the operator,
    /// and is put on record too.
    ///
    /// # Errors
    /// Where another hub writes it, its keys do not fit, or its records are not those that were signed.
    pub fn open(settings: &LogSettings) -> Result<(Self, Vec<String>), LogError> {
        Self::open_on(settings, Arc::new(RealDisk))
    }

    /// The same on a file system that may fail.
    ///
    /// # Errors
    /// As [`LastingLog::open`].
    pub fn open_on(settings: &LogSettings, disk: Arc<dyn Disk>) -> Result<(Self, Vec<String>), LogError> {
        let queue = Arc::new(Queue::new(settings.queue_records_max, settings.queue_bytes_max));
        let (journal, notices) = open(settings, disk, &queue)?;
        let retention_us = Arc::clone(&journal.retention_us);
        let writer = Writer::new(Arc::clone(&queue), journal, settings);
        let told = notices.clone();
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(told))
            .map_err(|error| LogError::io("start the thread for", &settings.directory, error))?;
        let open = Open {
            queue,
            durability: settings.durability,
            thread: Mutex::new(Some(thread)),
            directory: settings.directory.clone(),
            retention_us,
            pruning: Mutex::default(),
            deleting: Mutex::default(),
        };
        Ok((Self(Arc::new(open)), notices))
    }

    /// How it does.
    #[must_use]
    pub fn health(&self) -> Health {
        let state = self.0.queue.state();
        Health {
            failing: state.failing.clone().or_else(|| state.unsigned.clone()),
            records: state.records,
            waiting: state.items.len(),
            shed: state.shed_ever,
        }
    }

    /// Writes what waits, signs a last checkpoint and ends. It blocks until that is done.
    pub fn close(&self) {
        self.0.close();
    }

    /// Erases a person's key: their personal fields can be read by nobody any more. False where there was none. It blocks.
    ///
    /// # Errors
    /// Where the keys cannot be written, or the log is closed.
    pub fn erase(&self, identity: &Identity) -> Result<bool, LogError> {
        self.ask(|reply| Command::Erase(identity.clone(), reply))?
    }

    /// Signs with a new key from now on; a record, signed by the old key, says so. Gives the new public key. It blocks.
    ///
    /// # Errors
    /// Where the keys or the record cannot be written, or the log is closed.
    pub fn rotate_signing_key(&self) -> Result<String, LogError> {
        self.ask(Command::RotateSigning)?
    }

    /// Wraps all data keys with a new encryption key; no record is rewritten. It blocks.
    ///
    /// # Errors
    /// Where the keys cannot be written, or the log is closed.
    pub fn rotate_encryption_key(&self) -> Result<(), LogError> {
        self.ask(Command::RotateEncryption)?
    }

    /// Signs a checkpoint of all that is durable, now. It blocks.
    ///
    /// # Errors
    /// Where it cannot be written, or the log is closed.
    pub fn checkpoint(&self) -> Result<(), LogError> {
        self.signed().map(drop)
    }

    /// The same; the tree that is signed, as the thread that signs has it.
    pub(super) fn signed(&self) -> Result<Frontier, LogError> {
        self.ask(Command::Checkpoint)?
    }

    /// Keeps records for so long from now on: those of segments that are begun, and those that are looked at to be deleted.
    pub fn keep_for(&self, retention: Duration) {
        let retention_us = u64::try_from(retention.as_micros()).unwrap_or(u64::MAX);
        self.0.retention_us.store(retention_us, Ordering::Relaxed);
    }

    /// Deletes whole days whose time to be kept has passed; a record says so. It blocks, and nothing that is recorded waits for it.
    ///
    /// # Errors
    /// Where a legal hold stands, what would go is not what was signed, the log cannot be read or written, or is closed.
    pub fn prune(&self) -> Result<Pruning, LogError> {
        self.prune_at(now_us())
    }

    pub(super) fn open_log(&self) -> &Open {
        &self.0
    }

    pub(super) fn ask<T>(&self, command: impl FnOnce(SyncSender<T>) -> Command) -> Result<T, LogError> {
        let (reply, answer) = sync_channel(1);
        self.0.queue.command(command(reply))?;
        answer.recv().map_err(|_| LogError::NotRecorded("the log is closed".to_owned()))
    }
}

impl Sink for LastingLog {
    fn record(&self, who: Who, event: Event) {
        self.0.queue.push(who, event, None);
    }

    fn is_strict(&self) -> bool {
        self.0.durability == Durability::Strict
    }

    fn rotate_key(&self, which: LogKey) -> Result<Option<String>, String> {
        let rotated = match which {
            LogKey::Signing => self.rotate_signing_key().map(Some),
            LogKey::Encryption => self.rotate_encryption_key().map(|()| None),
        };
        rotated.map_err(|error| error.to_string())
    }

    fn record_durably(&self, who: Who, event: Event) -> Recording {
        let (waiting, durable) = oneshot::channel();
        self.0.queue.push(who, event, Some(waiting));
        Box::pin(async move { durable.await.unwrap_or(Err(NotRecorded::Closed)) })
    }
}

impl Open {
    fn close(&self) {
        let _deleted = self.deleting.lock().unwrap_or_else(PoisonError::into_inner);
        self.queue.close();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // What a panic in it said stands in the log already.
            let _ended = thread.join();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for LastingLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LastingLog({:?})", self.0.durability)
    }
}
