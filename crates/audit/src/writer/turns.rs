//! When the thread that writes lets calls go first: where processors are few, a whole group of records must not make them wait.

use std::sync::Arc;
use std::thread;

use super::queue::Queue;

/// Records that are worked on at once at least.
const TURN_MIN: usize = 16;
/// A group of so many records is worked on in turns of one more: who is behind catches up.
const SHARE: usize = 32;
/// Part of the queue's room; where more of it waits, nobody goes first.
const BEHIND_PART: usize = 8;

/// Turns of a thread that writes for this queue; without one, it never lets others go.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: Option<Arc<Queue>>,
}

impl Turns {
    pub(super) fn of(queue: Arc<Queue>) -> Self {
        Self { queue: Some(queue) }
    }

    /// After `done` of `group` records.
    pub(super) fn after(&self, done: usize, group: usize) {
        let turn = TURN_MIN + group / SHARE;
        if done % turn == turn - 1
            && let Some(queue) = &self.queue
            && queue.state().items.len() * BEHIND_PART < queue.records_max()
        {
            thread::yield_now();
        }
    }
}
