//! The queue between those who record and the thread that writes: bounded in records and bytes, and short to hold.

use std::collections::VecDeque;
use std::mem;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::deletion::Deletion;
use super::entry::now_us;
use crate::error::LogError;
use crate::event::Event;
use crate::field::FieldValue;
use crate::keys::Identity;
use crate::prune::Pruned;
use crate::sink::NotRecorded;
use crate::tree::Frontier;
use crate::who::Who;

/// An event that waits to be written.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) time_us: u64,
    pub(super) who: Who,
    pub(super) event: Event,
    /// Who waits until it is durable.
    pub(super) waiting: Option<Waiting>,
}

/// Who waits until a record is durable.
pub(super) type Waiting = oneshot::Sender<Result<(), NotRecorded>>;

/// Who asked for a checkpoint, and waits for it: they are given the tree that it is over.
pub(super) type Asked = SyncSender<Result<Frontier, LogError>>;

/// Something else for the thread to do, between two commits; who asked waits for the answer.
#[derive(Debug)]
pub(super) enum Command {
    /// Erase a person's key.
    Erase(Identity, SyncSender<Result<bool, LogError>>),
    /// Sign with a new key from now on.
    RotateSigning(SyncSender<Result<String, LogError>>),
    /// Wrap the keys with a new one.
    RotateEncryption(SyncSender<Result<(), LogError>>),
    /// Sign a checkpoint now.
    Checkpoint(Asked),
    /// Write down what is about to be deleted.
    Prune(Box<Deletion>, SyncSender<Result<Pruned, LogError>>),
}

/// Events that were not recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shed {
    pub(super) count: u64,
    pub(super) first_us: u64,
    pub(super) last_us: u64,
}

impl Shed {
    pub(super) fn add(&mut self, time_us: u64) {
        self.first_us = if self.count == 0 { time_us } else { self.first_us };
        self.last_us = time_us;
        self.count += 1;
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) items: VecDeque<Item>,
    bytes: usize,
    pub(super) shed: Shed,
    pub(super) shed_ever: u64,
    pub(super) commands: Vec<Command>,
    pub(super) closing: bool,
    /// Why the last commit failed.
    pub(super) failing: Option<String>,
    /// Why no checkpoint can be signed.
    pub(super) unsigned: Option<String>,
    pub(super) records: u64,
    /// The thread waits until it is called.
    asleep: bool,
    /// It should not wait for others to come.
    urgent: bool,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    called: Condvar,
    records_max: usize,
    bytes_max: usize,
}

/// What the thread takes at once.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) items: VecDeque<Item>,
    pub(super) commands: Vec<Command>,
    pub(super) shed: Shed,
    pub(super) closing: bool,
}

impl Queue {
    pub(super) fn new(records_max: usize, bytes_max: usize) -> Self {
        Self { state: Mutex::default(), called: Condvar::new(), records_max, bytes_max }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn records_max(&self) -> usize {
        self.records_max
    }

    /// Puts an event in; where it does not fit it is counted as shed.
    pub(super) fn push(&self, who: Who, event: Event, waiting: Option<Waiting>) {
        let size = size_of(&event);
        let time_us = now_us();
        let mut state = self.state();
        let full = state.items.len() >= self.records_max || state.bytes.saturating_add(size) > self.bytes_max;
        if full || state.closing {
            state.shed.add(time_us);
            state.shed_ever += 1;
            let closing = state.closing;
            drop(state);
            if let Some(waiting) = waiting {
                let _gone = waiting.send(Err(if closing { NotRecorded::Closed } else { NotRecorded::Full }));
            }
            return;
        }
        let failing = state.failing.as_ref().filter(|_| waiting.is_some()).cloned();
        let waiting = match (failing, waiting) {
            (Some(why), Some(waiting)) => {
                // It is written when the disk is back; whoever waits does not wait for that.
                let _gone = waiting.send(Err(NotRecorded::Failed(why)));
                None
            }
            (_, waiting) => waiting,
        };
        state.bytes += size;
        state.urgent |=
            waiting.is_some() || state.items.len() * 2 >= self.records_max || state.bytes * 2 >= self.bytes_max;
        state.items.push_back(Item { time_us, who, event, waiting });
        let call = mem::take(&mut state.asleep) || state.urgent;
        drop(state);
        if call {
            self.called.notify_one();
        }
    }

    pub(super) fn command(&self, command: Command) -> Result<(), LogError> {
        let mut state = self.state();
        if state.closing {
            return Err(LogError::NotRecorded("the log is closed".to_owned()));
        }
        state.commands.push(command);
        state.urgent = true;
        drop(state);
        self.called.notify_one();
        Ok(())
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        state.urgent = true;
        drop(state);
        self.called.notify_one();
    }

    /// Waits for `group`, shorter where something is urgent, and takes all there is into `taken`, whose room is used again.
    /// While `idle`, it waits until something comes.
    pub(super) fn take(&self, group: Duration, idle: bool, taken: &mut Taken) {
        let mut state = self.state();
        if idle && state.items.is_empty() && !state.urgent {
            state.asleep = true;
            state = self
                .called
                .wait_while(state, |state| state.asleep && !state.urgent)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !state.urgent {
            state = self
                .called
                .wait_timeout_while(state, group, |state| !state.urgent)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.urgent = false;
        state.asleep = false;
        state.bytes = 0;
        mem::swap(&mut state.items, &mut taken.items);
        taken.commands = mem::take(&mut state.commands);
        taken.shed = mem::take(&mut state.shed);
        taken.closing = state.closing;
    }

    /// Waits until it is time to try again, or the log is closed.
    pub(super) fn pause(&self, time: Duration) {
        let state = self.state();
        drop(
            self.called.wait_timeout_while(state, time, |state| !state.closing).unwrap_or_else(PoisonError::into_inner),
        );
    }
}

/// What an event holds beyond its own size, about.
fn size_of(event: &Event) -> usize {
    let texts = event.reason.as_ref().map_or(0, String::len) + event.resource.as_ref().map_or(0, |r| r.name.len());
    let facts: usize = event.facts.iter().map(|(_, value)| 32 + length_of(value)).sum();
    // What is shared with the decision costs nothing more.
    mem::size_of::<Item>() + texts + facts
}

fn length_of(value: &FieldValue) -> usize {
    match value {
        FieldValue::Text(text) => text.len(),
        FieldValue::List(list) => list.iter().map(|text| text.len() + 24).sum(),
        FieldValue::Number(_) | FieldValue::Digest(_) => 32,
    }
}
