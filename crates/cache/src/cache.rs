//! The cache as its users see it: look, take turns in asking, keep, forget.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_types::Pattern;

use crate::clock::Clock;
use crate::entry::{Entry, Kept, TAGS_MAX};
use crate::epochs::{Epoch, Epochs};
use crate::figures::{Counts, Figures, count};
use crate::flight::{Flights, Turn};
use crate::key::{Key, Tag};
use crate::memory::Memory;
use crate::settings::{CacheSettings, TTL_S_MAX};

/// Of an entry's time, as much may be taken away by chance, so that what was kept together does not end together.
const JITTER: f64 = 0.1;
/// Rules about resources.
const RULES_MAX: usize = 1_000;

/// What is kept. One for each hub.
#[derive(Debug)]
pub struct Cache {
    /// `None`: nothing is kept.
    memory: Option<Memory>,
    rules: Vec<(Pattern, Duration)>,
    ttl_ms: u64,
    stale_ms: u64,
    epochs: Epochs,
    flights: Flights,
    counts: Counts,
    clock: Clock,
}

/// Something kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The thing itself.
    pub body: Bytes,
    /// How long ago it was kept.
    pub age: Duration,
    /// For how much longer it may be given as if it were asked for anew; nothing where it is stale.
    pub left: Duration,
}

impl Found {
    /// Whether it is past its time, and stands in for what cannot be had.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        self.left.is_zero()
    }
}

impl Default for Cache {
    fn default() -> Self {
        let memory = CacheSettings::default().memory;
        Self::new(&CacheSettings { memory, ..CacheSettings::default() }, Vec::new(), Clock::running())
    }
}

impl Cache {
    /// The cache that `settings` describe.
    ///
    /// # Errors
    /// The key in the configuration that is wrong, and why.
    pub fn build(settings: &CacheSettings, clock: Clock) -> Result<Self, (String, String)> {
        if settings.resources.len() > RULES_MAX {
            return Err(("cache.resources".into(), format!("at most {RULES_MAX} rules")));
        }
        let mut rules = Vec::with_capacity(settings.resources.len());
        for (at, rule) in settings.resources.iter().enumerate() {
            let pattern = Pattern::parse(&rule.pattern)
                .map_err(|error| (format!("cache.resources[{at}].match"), error.to_string()))?;
            let ttl_s = bounded(format!("cache.resources[{at}].ttl_s"), rule.ttl_s, 0)?;
            rules.push((pattern, Duration::from_secs(ttl_s.into())));
        }
        bounded("cache.memory.ttl_s".to_owned(), settings.memory.ttl_s, 1)?;
        bounded("cache.stale_if_error_s".to_owned(), settings.stale_if_error_s, 0)?;
        if settings.memory.entries_max > 100_000 {
            return Err(("cache.memory.entries_max".into(), "at most 100000".into()));
        }
        if !(65_536..=4_294_967_296).contains(&settings.memory.bytes_max) {
            return Err(("cache.memory.bytes_max".into(), "65536 to 4294967296".into()));
        }
        Ok(Self::new(settings, rules, clock))
    }

    fn new(settings: &CacheSettings, rules: Vec<(Pattern, Duration)>, clock: Clock) -> Self {
        Self {
            memory: (settings.memory.entries_max > 0).then(|| Memory::new(&settings.memory)),
            rules,
            ttl_ms: u64::from(settings.memory.ttl_s) * 1_000,
            stale_ms: u64::from(settings.stale_if_error_s) * 1_000,
            epochs: Epochs::default(),
            flights: Flights::default(),
            counts: Counts::default(),
            clock,
        }
    }

    /// Whether anything is ever kept.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.memory.is_some()
    }

    /// For how long the operator allows a resource of a server to be kept that says nothing of that itself.
    #[must_use]
    pub fn allowed(&self, server: &str, uri: &str) -> Duration {
        self.rules.iter().find(|(pattern, _)| pattern.matches(server, uri)).map_or(Duration::ZERO, |(_, ttl)| *ttl)
    }

    /// The moment to note before something is asked for that may be kept.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epochs.now()
    }

    /// The first of `keys` under which something stands that may be given as it is.
    #[must_use]
    pub fn look(&self, keys: &[Key]) -> Option<Found> {
        let found = self.find(keys, |kept, now| kept.fresh_until_ms > now);
        count(if found.is_some() { &self.counts.hits } else { &self.counts.misses }, 1);
        found
    }

    /// The same, of which nothing is counted: it was looked for already.
    #[must_use]
    pub fn peek(&self, keys: &[Key]) -> Option<Found> {
        self.find(keys, |kept, now| kept.fresh_until_ms > now)
    }

    /// Whether anything stands under `key`, be it past its time.
    #[must_use]
    pub fn knows(&self, key: &Key) -> bool {
        self.memory.as_ref().is_some_and(|memory| memory.get(key).is_some())
    }

    /// The first of `keys` under which something stands that may be given for want of better.
    #[must_use]
    pub fn stand_in(&self, keys: &[Key]) -> Option<Found> {
        let found = self.find(keys, |kept, now| kept.stale_until_ms > now);
        count(&self.counts.stale, u64::from(found.is_some()));
        found
    }

    fn find(&self, keys: &[Key], may: impl Fn(&Kept, u64) -> bool) -> Option<Found> {
        let (memory, now) = (self.memory.as_ref()?, self.clock.now_ms());
        let kept = keys.iter().filter_map(|key| memory.get(key)).find(|kept| may(kept, now))?;
        Some(Found {
            body: kept.body.clone(),
            age: Duration::from_millis(now.saturating_sub(kept.stored_ms)),
            left: Duration::from_millis(kept.fresh_until_ms.saturating_sub(now)),
        })
    }

    /// Whose turn it is to ask for what stands under `key`.
    #[must_use]
    pub fn turn(&self, key: Key) -> Turn {
        let turn = self.flights.turn(key);
        count(&self.counts.shared, u64::from(matches!(turn, Turn::Follow(_))));
        turn
    }

    /// Keeps `entry`, unless what it bears was declared wrong since its making began, or it is too large.
    pub fn keep(&self, key: Key, entry: Entry) {
        let Some(memory) = &self.memory else { return };
        let now = self.clock.now_ms();
        let fresh_ms = u64::try_from(entry.fresh.as_millis()).unwrap_or(u64::MAX).min(self.ttl_ms);
        let fresh_ms = spread(fresh_ms);
        if fresh_ms == 0 {
            return;
        }
        let fresh_until_ms = now.saturating_add(fresh_ms);
        let tags: Box<[Tag]> = entry.tags.into_iter().take(TAGS_MAX).collect();
        let kept = Arc::new(Kept {
            body: entry.body,
            tags,
            stored_ms: now,
            fresh_until_ms,
            stale_until_ms: fresh_until_ms.saturating_add(self.stale_ms),
        });
        let stands = memory.put(key, Arc::clone(&kept));
        // Looked at after it stands there: what is declared wrong from now on finds it.
        let holds = stands && self.epochs.holds(entry.began, &kept.tags);
        if stands && !holds {
            memory.remove(&key);
        }
        if holds {
            self.flights.together(&key);
        }
        count(if holds { &self.counts.kept } else { &self.counts.refused }, 1);
    }

    /// What bears `tag`, or everything, is wrong: it is given no more, nor what is being made of it. Says how many things went.
    pub fn forget(&self, tag: Option<Tag>) -> u64 {
        self.epochs.declare(tag);
        let gone = self.memory.as_ref().map_or(0, |memory| memory.forget(tag));
        count(&self.counts.forgotten, gone);
        gone
    }

    /// Gives the room back of what may not be given any more.
    pub fn sweep(&self) -> u64 {
        self.memory.as_ref().map_or(0, |memory| memory.sweep(self.clock.now_ms()))
    }

    /// What was counted.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (entries, bytes) = self.memory.as_ref().map_or((0, 0), |memory| (memory.entries(), memory.bytes()));
        self.counts.now(entries, bytes)
    }
}

fn bounded(key: String, seconds: u32, least: u32) -> Result<u32, (String, String)> {
    if (least..=TTL_S_MAX).contains(&seconds) {
        return Ok(seconds);
    }
    Err((key, format!("{least} to {TTL_S_MAX} seconds")))
}

/// A time of `ms` or somewhat less.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a number of milliseconds, which a day bounds"
)]
fn spread(ms: u64) -> u64 {
    // Chance that cannot be had spreads nothing, which is no fault.
    let [chance] = omni_types::random::<1>().unwrap_or([0]);
    ms - (ms as f64 * JITTER * f64::from(chance) / 255.0) as u64
}

#[cfg(test)]
mod tests;
