//! Deleting what was kept long enough, on record. Reading and deleting are done by who asks for it; the thread that writes only puts
//! on record what goes.

use std::fs::File;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::deletion::Deletion;
use super::entry::{Body, Entry};
use super::journal::Journal;
use super::lasting::{LastingLog, Open};
use super::queue::Command;
use crate::archive::Archive;
use crate::error::LogError;
use crate::keys::replace;
use crate::prune::{Pruned, Pruning, delete, inherited_from, plan, pruned_path};

impl LastingLog {
    /// Deletes whole days that are due at `now_us`. What would go is read and held against the tree of the thread that signs; then
    /// it is on record and signed, and the tiles, by which what stays is verified, are durable: they cannot be made again.
    pub(crate) fn prune_at(&self, now_us: u64) -> Result<Pruning, LogError> {
        let Open { directory, retention_us, pruning, deleting, .. } = self.open_log();
        let _one_at_a_time = pruning.lock().unwrap_or_else(PoisonError::into_inner);
        let archive = Archive::open(directory)?;
        let plan = plan(&archive, Duration::from_micros(retention_us.load(Ordering::Relaxed)), now_us)?;
        if plan.days.is_empty() {
            return Ok(plan);
        }
        let tree = self.signed()?;
        plan.held_against(&archive, &tree)?;
        let first = plan.first_kept.saturating_sub(plan.records);
        let mut keys = Vec::new();
        let mut stated = 0;
        if let Some(before) = inherited_from(&archive, first, &tree)? {
            (keys, stated) = (before.keys, before.first_kept);
        }
        keys.extend(plan.keys.iter().filter(|key| key.index >= stated).cloned());
        // Whoever closes the log waits from here on.
        let _until_done = deleting.lock().unwrap_or_else(PoisonError::into_inner);
        let Pruning { first_kept, retained_until_us, is_all, .. } = plan;
        let deletion = Box::new(Deletion { now_us, first_kept, retained_until_us, keys, is_all });
        let pruned = self.ask(|reply| Command::Prune(deletion, reply))??;
        if self.signed()?.size() <= pruned.index {
            return Err(LogError::NotRecorded("what is to be deleted is not signed".to_owned()));
        }
        let synced = File::open(directory).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?));
        synced.map_err(|error| LogError::io("make durable what lies in", directory, error))?;
        replace(&pruned_path(directory), &pruned.record()?, 0o644)?;
        delete(directory, &plan, &mut |_| {})?;
        Ok(plan)
    }
}

impl Journal {
    /// Puts on record what is about to be deleted. Nothing is written where that does not fit.
    pub(super) fn state(&mut self, deletion: Deletion) -> Result<Pruned, LogError> {
        let Deletion { now_us, first_kept, retained_until_us, keys, is_all } = deletion;
        if is_all && self.size != first_kept {
            let why = "nothing is deleted: records were written meanwhile; it is tried again".to_owned();
            return Err(LogError::NotRecorded(why));
        }
        let pruned = Pruned { index: self.size, time_us: now_us, first_kept, retained_until_us, keys };
        pruned.record()?;
        if is_all && self.open.take().is_some() {
            // What says so does not go with it.
            self.signing.remember();
        }
        self.signing.keep_from(first_kept);
        self.commit(&[Entry { time_us: now_us, body: Body::Plain(pruned.fields()), who: None }])?;
        Ok(pruned)
    }
}
