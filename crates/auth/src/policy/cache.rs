//! Verdicts that were found before: a table of fixed size, one place for each digest, where the newest stays.
//!
//! A table belongs to the policy that fills it and goes with it: no verdict outlives a change.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::fast::RandomState;

use crate::policy::access::Hints;
use crate::policy::action::{Action, ThingKind};
use crate::policy::verdict::Verdict;

/// Verdicts that are kept.
const PLACES: usize = 4_096;
/// Longest name with which one is kept: names are the clients' to choose.
const NAME_BYTES_MAX: usize = 1_024;

/// What a verdict depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key<'a> {
    /// Of the principal, and of what else policies read that stays the same for a client.
    pub(super) authorization: u128,
    pub(super) action: Action,
    pub(super) thing: ThingKind,
    pub(super) hints: Hints,
    pub(super) server: &'a str,
    pub(super) name: &'a str,
}

#[derive(Debug)]
struct Entry {
    authorization: u128,
    action: Action,
    thing: ThingKind,
    hints: Hints,
    server: Box<str>,
    name: Box<str>,
    verdict: Arc<Verdict>,
}

type Place = Mutex<Option<Box<Entry>>>;

/// The table. It takes no room before its first verdict.
#[derive(Debug, Default)]
pub(super) struct Cache {
    places: OnceLock<Box<[Place]>>,
    hasher: RandomState,
}

impl Cache {
    /// The verdict for `key`, found by `find` where it is not known.
    pub(super) fn get(&self, key: Key<'_>, find: impl FnOnce() -> Verdict) -> Arc<Verdict> {
        if key.name.len() > NAME_BYTES_MAX {
            return Arc::new(find());
        }
        let places = self.places.get_or_init(|| (0..PLACES).map(|_| Place::default()).collect());
        let place = &places[self.hasher.hash_one(key) as usize % PLACES];
        if let Some(entry) = place.lock().unwrap_or_else(PoisonError::into_inner).as_deref()
            && entry.is(&key)
        {
            return Arc::clone(&entry.verdict);
        }
        // Two callers may find the same one: cheaper than to hold a lock meanwhile.
        let verdict = Arc::new(find());
        let entry = Entry {
            authorization: key.authorization,
            action: key.action,
            thing: key.thing,
            hints: key.hints,
            server: key.server.into(),
            name: key.name.into(),
            verdict: Arc::clone(&verdict),
        };
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(entry));
        verdict
    }
}

impl Entry {
    fn is(&self, key: &Key<'_>) -> bool {
        let own = Key {
            authorization: self.authorization,
            action: self.action,
            thing: self.thing,
            hints: self.hints,
            server: &self.server,
            name: &self.name,
        };
        own == *key
    }
}
