//! The first level: in this process, bounded in entries and in bytes at every moment.

use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::entry::Kept;
use crate::key::{Key, Tag};
use crate::settings::MemorySettings;

type Table = Cache<Key, Arc<Kept>, Weight, foldhash::fast::RandomState, DefaultLifecycle<Key, Arc<Kept>>>;

/// The level. A library's table keeps one bound, on weight; both of ours hold because nothing weighs less than its share
/// of the bytes where as many entries stand as may.
#[derive(Debug)]
pub(crate) struct Memory {
    table: Table,
}

#[derive(Debug, Clone)]
struct Weight {
    least: u64,
}

impl Weighter<Key, Arc<Kept>> for Weight {
    fn weight(&self, _: &Key, kept: &Arc<Kept>) -> u64 {
        kept.weight().max(self.least)
    }
}

impl Memory {
    pub(crate) fn new(settings: &MemorySettings) -> Self {
        let entries = u64::try_from(settings.entries_max.max(1)).unwrap_or(u64::MAX);
        let capacity = settings.bytes_max.max(entries);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(settings.entries_max.max(1))
            .weight_capacity(capacity)
            // One shard: the bounds are those of the whole, not of a part that happens to be full.
            .shards(1)
            .build();
        let weight = Weight { least: capacity.div_ceil(entries) };
        let (hash, life) = (foldhash::fast::RandomState::default(), DefaultLifecycle::default());
        let table = match options {
            Ok(options) => Cache::with_options(options, weight, hash, life),
            // Both capacities were given, which is all that is asked for.
            Err(_) => Cache::with(settings.entries_max, capacity, weight, hash, life),
        };
        Self { table }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Kept>> {
        self.table.get(key)
    }

    /// Keeps it, unless it alone is more than the level holds.
    pub(crate) fn put(&self, key: Key, kept: Arc<Kept>) -> bool {
        self.table.insert(key, kept);
        self.table.contains_key(&key)
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.table.remove(key);
    }

    /// Removes what bears `tag`, or everything; says how many.
    pub(crate) fn forget(&self, tag: Option<Tag>) -> u64 {
        self.keep(|kept| tag.is_some_and(|tag| !kept.tags.contains(&tag)))
    }

    /// Removes what may not be given any more, also not for want of better.
    pub(crate) fn sweep(&self, now_ms: u64) -> u64 {
        self.keep(|kept| kept.stale_until_ms > now_ms)
    }

    fn keep(&self, stays: impl Fn(&Kept) -> bool) -> u64 {
        let gone = std::cell::Cell::new(0);
        self.table.retain(|_, kept| {
            let stays = stays(kept);
            gone.set(gone.get() + u64::from(!stays));
            stays
        });
        gone.get()
    }

    pub(crate) fn entries(&self) -> u64 {
        u64::try_from(self.table.len()).unwrap_or(u64::MAX)
    }

    /// What the entries take, without what they are made to weigh.
    pub(crate) fn bytes(&self) -> u64 {
        self.table.iter().map(|(_, kept)| kept.weight()).sum()
    }
}
