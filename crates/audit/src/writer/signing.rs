//! The thread that signs: the tree over what is durable, its tiles and checkpoints, so that no commit waits for them.

use std::fs;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::entry::now_us;
use super::queue::{Asked, Queue};
use super::turns::Turns;
use crate::archive::checkpoint_path;
use crate::error::LogError;
use crate::keys::replace;
use crate::note::{Checkpoint, Note, SigningKey, append_note};
use crate::segment::day_of;
use crate::tree::{Frontier, Hash, TileWriter};

/// How often a checkpoint goes into the history.
const HISTORY_EVERY_US: u64 = 600_000_000;
/// Leaves that may wait to be signed (8 MiB); then commits wait, so that memory is bounded.
const LEAVES_MAX: usize = 1 << 18;

/// What is signed, and with what.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) directory: PathBuf,
    pub(super) key: Arc<SigningKey>,
    pub(super) frontier: Frontier,
    pub(super) tiles: TileWriter,
    /// The size that the latest checkpoint states.
    pub(super) signed: Option<u64>,
    pub(super) history_us: u64,
}

/// The thread, as the one that commits knows it.
#[derive(Debug)]
pub(super) struct Signing {
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Inbox {
    state: Mutex<State>,
    called: Condvar,
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Hashes of records that are durable, in order.
    leaves: Vec<Hash>,
    /// The next checkpoint goes into the history.
    history: bool,
    key: Option<Arc<SigningKey>>,
    /// Records before this one are going to be deleted.
    kept_from: Option<u64>,
    asked: Vec<Asked>,
    closing: bool,
    /// The thread has ended.
    ended: bool,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signing {
    /// Starts the thread. Where it cannot sign, `queue` is told.
    pub(super) fn start(signer: Signer, every: Duration, queue: Arc<Queue>) -> Result<Self, LogError> {
        let inbox = Arc::new(Inbox::default());
        let (directory, theirs) = (signer.directory.clone(), Arc::clone(&inbox));
        let thread = thread::Builder::new()
            .name("audit-sign".to_owned())
            .spawn(move || run(signer, every, &theirs, &queue))
            .map_err(|error| LogError::io("start the thread that signs", &directory, error))?;
        Ok(Self { inbox, thread: Some(thread) })
    }

    /// Hands over the hashes of records that are durable.
    pub(super) fn append(&self, leaves: &[Hash]) {
        let mut state = self.inbox.state();
        while state.leaves.len() > LEAVES_MAX && !state.ended {
            state = self.inbox.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended {
            // They are signed after the next start.
            return;
        }
        let first = state.leaves.is_empty();
        state.leaves.extend_from_slice(leaves);
        drop(state);
        if first {
            self.inbox.called.notify_one();
        }
    }

    /// The next checkpoint goes into the history: a segment ends.
    pub(super) fn remember(&self) {
        self.inbox.state().history = true;
    }

    /// A checkpoint of all that was handed over, now.
    pub(super) fn ask(&self, asked: Asked) {
        let mut state = self.inbox.state();
        if state.ended {
            let _gone = asked.send(Err(LogError::NotRecorded("the thread that signs has ended".to_owned())));
            return;
        }
        state.asked.push(asked);
        drop(state);
        self.inbox.called.notify_one();
    }

    /// The same, and waits for it.
    pub(super) fn checkpoint(&self) -> Result<Frontier, LogError> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.ask(reply);
        answer.recv().unwrap_or_else(|_| Err(LogError::NotRecorded("the thread that signs has ended".to_owned())))
    }

    /// Records before this one are deleted: tiles over them cannot be made again, and are made durable from the next checkpoint on.
    pub(super) fn keep_from(&self, first: u64) {
        self.inbox.state().kept_from = Some(first);
    }

    /// Signs with this key from now on.
    pub(super) fn replace_key(&self, key: Arc<SigningKey>) {
        self.inbox.state().key = Some(key);
    }

    /// Signs a last time and ends.
    pub(super) fn close(&mut self) {
        self.inbox.state().closing = true;
        self.inbox.called.notify_one();
        if let Some(thread) = self.thread.take() {
            // What a panic in it said stands in the log already.
            let _ended = thread.join();
        }
    }
}

/// The log is locked until the last checkpoint is written.
impl Drop for Signing {
    fn drop(&mut self) {
        self.close();
    }
}

/// If the thread ends by a panic, nobody waits for it.
struct Ending<'a>(&'a Inbox, &'a Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.ended = true;
        state.asked.clear();
        drop(state);
        self.0.room.notify_all();
        if thread::panicking() {
            self.1.state().unsigned = Some("the thread that signs the audit log has failed".to_owned());
        }
    }
}

fn run(mut signer: Signer, every: Duration, inbox: &Inbox, queue: &Arc<Queue>) {
    let turns = Turns::of(Arc::clone(queue));
    let _ending = Ending(inbox, queue);
    let (mut last, mut complained) = (Instant::now(), false);
    loop {
        let State { leaves, history, key, kept_from, asked, closing, .. } =
            take(inbox, signer.is_unsigned(), (last, every));
        if let Some(key) = key {
            signer.key = key;
        }
        if let Some(first) = kept_from {
            signer.tiles.keep_from(first);
        }
        let count = leaves.len();
        for (done, leaf) in leaves.into_iter().enumerate() {
            turns.after(done, count);
            signer.append(leaf);
        }
        if history || closing {
            signer.history_us = 0;
        }
        let signed = signer.checkpoint();
        last = Instant::now();
        match &signed {
            Ok(()) => {
                complained = false;
                queue.state().unsigned = None;
            }
            Err(error) => {
                if !complained {
                    tracing::error!(target: "audit", %error, "no checkpoint of the audit log can be signed");
                }
                complained = true;
                queue.state().unsigned = Some(error.to_string());
            }
        }
        let told = signed.map_err(|error| error.to_string());
        for one in asked {
            let tree = signer.frontier.clone();
            let _gone = one.send(told.clone().map(|()| tree).map_err(LogError::NotRecorded));
        }
        if closing {
            return;
        }
    }
}

/// Waits until there is something to sign and it is time for it, or somebody asks.
fn take(inbox: &Inbox, unsigned: bool, (last, every): (Instant, Duration)) -> State {
    let mut state = inbox.state();
    if !unsigned {
        let idle = |state: &mut State| state.leaves.is_empty() && state.asked.is_empty() && !state.closing;
        state = inbox.called.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
    }
    let wait = every.saturating_sub(last.elapsed());
    let early = |state: &mut State| state.asked.is_empty() && !state.closing && state.leaves.len() <= LEAVES_MAX;
    state = inbox.called.wait_timeout_while(state, wait, early).unwrap_or_else(PoisonError::into_inner).0;
    let taken = State { closing: state.closing, ..mem::take(&mut *state) };
    state.closing = taken.closing;
    drop(state);
    inbox.room.notify_all();
    taken
}

impl Signer {
    fn append(&mut self, leaf: Hash) {
        let tiles = &mut self.tiles;
        self.frontier.append(leaf, |height, _, hash| tiles.add(height, hash));
    }

    /// Signs what is durable. The tiles go first, so that whoever sees the checkpoint can prove by them.
    fn checkpoint(&mut self) -> Result<(), LogError> {
        let size = self.frontier.size();
        let now = now_us();
        let due = self.history_us == 0 || now.saturating_sub(self.history_us) >= HISTORY_EVERY_US;
        if self.signed == Some(size) && !due {
            return Ok(());
        }
        self.tiles.flush()?;
        let origin = self.key.public().name().to_owned();
        let note = Note::sign(Checkpoint { origin, size, root: self.frontier.root() }.text(), &self.key);
        let text = note.to_string();
        replace(&checkpoint_path(&self.directory), text.as_bytes(), 0o644)?;
        self.signed = Some(size);
        if due {
            self.remember(&text, now)?;
            self.history_us = now;
        }
        Ok(())
    }

    fn remember(&self, text: &str, now: u64) -> Result<(), LogError> {
        let folder = self.directory.join("checkpoints");
        let path = folder.join(format!("{}.notes", day_of(now)));
        let append = || fs::create_dir_all(&folder).and_then(|()| append_note(&path, text));
        append().map_err(|error| LogError::io("append to", &path, error))
    }

    /// Whether a checkpoint is wanting.
    fn is_unsigned(&self) -> bool {
        self.signed != Some(self.frontier.size())
    }
}
