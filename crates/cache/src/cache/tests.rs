//! The cache against a plain map: never past its time, never to somebody else, never more than its bounds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::entry::Entry;
use crate::key::{Audience, Key, Kind, Tag};
use crate::settings::{CacheSettings, MemorySettings, ResourceRule};

const ENTRIES: usize = 8;
const BYTES: u64 = 65_536;
const TTL_S: u32 = 300;
const STALE_S: u32 = 60;

fn cache() -> (Cache, Clock) {
    let memory = MemorySettings { entries_max: ENTRIES, bytes_max: BYTES, ttl_s: TTL_S };
    let settings = CacheSettings { memory, resources: Vec::new(), stale_if_error_s: STALE_S };
    let clock = Clock::set();
    (Cache::build(&settings, clock.clone()).unwrap(), clock)
}

fn key(who: u8, what: u8) -> Key {
    let whose = [who];
    let audience = if who == 0 { Audience::Public } else { Audience::Private(&whose) };
    Key::of(Kind::Resource, audience, &[&[what]])
}

fn tag(what: u8) -> Tag {
    Tag::of(&["thing", &(what % 4).to_string()])
}

fn entry(cache: &Cache, body: Vec<u8>, fresh_s: u64, what: u8) -> Entry {
    Entry { body: body.into(), fresh: Duration::from_secs(fresh_s), tags: vec![tag(what)], began: cache.epoch() }
}

#[derive(Debug, Clone)]
enum Step {
    Keep { who: u8, what: u8, fresh_s: u64, bytes: usize },
    Look { who: u8, what: u8 },
    GoOn { s: u64 },
    Forget { what: Option<u8> },
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let (who, what) = (0..3_u8, 0..12_u8);
    prop_oneof![
        4 => (who.clone(), what.clone(), 0..600_u64, prop_oneof![4 => 0..200_usize, 1 => 0..80_000_usize])
            .prop_map(|(who, what, fresh_s, bytes)| Step::Keep { who, what, fresh_s, bytes }),
        6 => (who, what.clone()).prop_map(|(who, what)| Step::Look { who, what }),
        2 => (0..200_u64).prop_map(|s| Step::GoOn { s }),
        1 => proptest::option::of(what).prop_map(|what| Step::Forget { what }),
        1 => Just(Step::Sweep),
    ]
}

/// What the plain map holds of an entry: its body, when it was kept, for how long at most.
struct Held {
    body: Vec<u8>,
    at_s: u64,
    fresh_s: u64,
}

proptest! {
    /// CACHE-1, CACHE-4, SHB-5: whatever is found was kept for that one, is what was kept last, and is within its time; there
    /// is never more than there may be.
    #[test]
    fn cache_4_nothing_past_its_time_nor_anothers_nor_too_much(steps in proptest::collection::vec(step(), 1..200)) {
        let (cache, clock) = cache();
        let (mut plain, mut now, mut number) = (HashMap::<(u8, u8), Held>::new(), 0_u64, 0_u64);
        for step in steps {
            match step {
                Step::Keep { who, what, fresh_s, bytes } => {
                    number += 1;
                    let mut body = number.to_le_bytes().to_vec();
                    body.resize(8 + bytes, who);
                    cache.keep(key(who, what), entry(&cache, body.clone(), fresh_s, what));
                    if fresh_s > 0 {
                        plain.insert((who, what), Held { body, at_s: now, fresh_s: fresh_s.min(TTL_S.into()) });
                    }
                }
                Step::Look { who, what } => {
                    let held = plain.get(&(who, what));
                    if let Some(found) = cache.look(&[key(who, what)]) {
                        let held = held.expect("what was never kept, or was forgotten, is found");
                        prop_assert_eq!(&found.body[..], &held.body[..]);
                        prop_assert!(now < held.at_s + held.fresh_s);
                        prop_assert!(!found.is_stale());
                        prop_assert_eq!(found.age.as_secs(), now - held.at_s);
                    }
                    if let Some(found) = cache.stand_in(&[key(who, what)]) {
                        let held = held.expect("what was never kept, or was forgotten, stands in");
                        prop_assert_eq!(&found.body[..], &held.body[..]);
                        prop_assert!(now < held.at_s + held.fresh_s + u64::from(STALE_S));
                    }
                }
                Step::GoOn { s } => {
                    now += s;
                    clock.go_on(Duration::from_secs(s));
                }
                Step::Forget { what } => {
                    cache.forget(what.map(tag));
                    plain.retain(|(_, other), _| what.is_some_and(|what| tag(what) != tag(*other)));
                }
                Step::Sweep => {
                    cache.sweep();
                }
            }
            let figures = cache.figures();
            prop_assert!(figures.entries <= ENTRIES as u64, "{}", figures.entries);
            prop_assert!(figures.bytes <= BYTES, "{}", figures.bytes);
        }
    }
}

/// CACHE-1: with room for so many, so many stand there; one more takes the place of another.
#[test]
fn cache_1_as_many_stand_as_may() {
    let (cache, _) = cache();
    for what in 0..u8::try_from(ENTRIES).unwrap() {
        cache.keep(key(0, what), entry(&cache, vec![what], 60, what));
    }
    assert_eq!(cache.figures().entries, ENTRIES as u64);
    cache.keep(key(0, 100), entry(&cache, vec![1], 60, 0));
    assert_eq!(cache.figures().entries, ENTRIES as u64);
    assert_eq!(cache.figures().kept, ENTRIES as u64 + 1);
    cache.keep(key(0, 101), entry(&cache, vec![0; usize::try_from(BYTES).unwrap()], 60, 0));
    assert!(cache.look(&[key(0, 101)]).is_none() && cache.figures().refused == 1, "what alone is too much is not kept");
}

/// CACHE-4: what was declared wrong while it was being made goes to nobody else.
#[test]
fn cache_4_what_became_wrong_while_it_was_made_is_not_kept() {
    let (cache, _) = cache();
    let late = entry(&cache, vec![1], 60, 1);
    let other = entry(&cache, vec![2], 60, 2);
    cache.forget(Some(tag(1)));
    cache.keep(key(0, 1), late);
    cache.keep(key(0, 2), other);
    assert!(cache.look(&[key(0, 1)]).is_none());
    assert_eq!(cache.look(&[key(1, 2), key(0, 2)]).unwrap().body, Bytes::from_static(&[2]));
}

/// EMG-3: past its time something may stand in, for so long and no longer.
#[test]
fn emg_3_something_stale_stands_in_for_a_while() {
    let (cache, clock) = cache();
    cache.keep(key(0, 1), entry(&cache, vec![1], 10, 1));
    clock.go_on(Duration::from_secs(10));
    assert!(cache.look(&[key(0, 1)]).is_none());
    assert!(cache.stand_in(&[key(0, 1)]).unwrap().is_stale());
    clock.go_on(Duration::from_secs(STALE_S.into()));
    assert!(cache.stand_in(&[key(0, 1)]).is_none());
    assert_eq!((cache.sweep(), cache.figures().entries), (1, 0));
}

/// CACHE-1: what the configuration says wrongly is named by its key.
#[test]
fn cache_1_settings_are_checked() {
    let wrong = |change: fn(&mut CacheSettings)| {
        let mut settings = CacheSettings::default();
        change(&mut settings);
        Cache::build(&settings, Clock::set()).unwrap_err().0
    };
    let rule = |pattern: &str, ttl_s| vec![ResourceRule { pattern: pattern.to_owned(), ttl_s }];
    assert_eq!(wrong(|s| s.memory.ttl_s = 0), "cache.memory.ttl_s");
    assert_eq!(wrong(|s| s.memory.bytes_max = 1), "cache.memory.bytes_max");
    assert_eq!(wrong(|s| s.memory.entries_max = 100_001), "cache.memory.entries_max");
    assert_eq!(wrong(|s| s.stale_if_error_s = 86_401), "cache.stale_if_error_s");
    let settings = CacheSettings { resources: rule("", 1), ..CacheSettings::default() };
    assert_eq!(Cache::build(&settings, Clock::set()).unwrap_err().0, "cache.resources[0].match");
    let settings = CacheSettings { resources: rule("docs:file:///*", 60), ..CacheSettings::default() };
    let cache = Cache::build(&settings, Clock::set()).unwrap();
    assert_eq!(cache.allowed("docs", "file:///a"), Duration::from_secs(60));
    assert_eq!(cache.allowed("docs", "http://a"), Duration::ZERO);
    let off = CacheSettings { memory: MemorySettings { entries_max: 0, ..MemorySettings::default() }, ..settings };
    assert!(!Cache::build(&off, Clock::set()).unwrap().is_on());
}
