//! Deleting what was kept long enough, on record.

use std::fs::File;
use std::time::Duration;

use super::entry::{Body, Entry};
use super::journal::Journal;
use crate::archive::Archive;
use crate::error::LogError;
use crate::keys::replace;
use crate::prune::{Inherited, Pruned, Pruning, delete, kept_statement, plan, pruned_path};
use crate::record::{PlainRecord, Record};
use crate::segment::Segment;
use crate::verify::successor;

impl Journal {
    /// Deletes whole days that are due at `now_us`. First it is on record and signed, and the tiles, by which what stays is
    /// verified, are durable: they cannot be made again.
    pub(super) fn prune(&mut self, now_us: u64) -> Result<Pruning, LogError> {
        let archive = Archive::open(&self.directory)?;
        let plan = plan(&archive, Duration::from_micros(self.retention_us), now_us, self.size)?;
        if plan.days.is_empty() {
            return Ok(plan);
        }
        let pruned = Pruned {
            index: self.size,
            time_us: now_us,
            first_kept: plan.first_kept,
            retained_until_us: plan.retained_until_us,
            keys: inherited(&archive, &plan)?,
        };
        let fields = pruned.fields();
        let record = PlainRecord { index: pruned.index, time_us: now_us, fields: &fields }.in_clear();
        self.commit(&[Entry { time_us: now_us, body: Body::Plain(fields), who: None }])?;
        self.signing.checkpoint()?;
        let synced = File::open(&self.directory).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?));
        synced.map_err(|error| LogError::io("make durable what lies in", &self.directory, error))?;
        replace(&pruned_path(&self.directory), &record, 0o644)?;
        delete(&self.directory, &plan)?;
        Ok(plan)
    }
}

/// Changes of the signing key in the records that go, and in those that went before.
fn inherited(archive: &Archive, plan: &Pruning) -> Result<Vec<Inherited>, LogError> {
    let mut keys = kept_statement(archive.directory()).map_or(Vec::new(), |before| before.keys);
    let from = keys.last().map_or(0, |last| last.index + 1);
    for file in &plan.segments {
        let mut segment = Segment::open(&file.path)?;
        while let Some(stored) = segment.next_record()?.filter(|stored| stored.index < plan.first_kept) {
            let record = Record::parse(stored.bytes)?;
            if let Some((key, signature)) = successor(&record).filter(|_| stored.index >= from) {
                keys.push(Inherited { index: stored.index, signature, key });
            }
        }
    }
    Ok(keys)
}
