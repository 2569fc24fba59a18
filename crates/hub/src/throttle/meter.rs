//! One rate, kept for each of many keys, in memory that does not grow.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::throttle::settings::Rate;

/// Places for keys. Two keys that fall on one place share it; which do, nobody outside can know.
const SLOTS: usize = 16_384;

/// One rate for each key.
pub(super) struct Meter {
    limiter: RateLimiter<usize, Slots, MonotonicClock, NoOpMiddleware<Instant>>,
    /// Until when each place was told to wait, in microseconds after `since`.
    waits: OnceLock<Box<[AtomicU64]>>,
    since: Instant,
    hasher: foldhash::quality::RandomState,
}

/// Made at the first use: a hub of one person never needs them.
#[derive(Default)]
struct Slots(OnceLock<Box<[InMemoryState]>>);

impl StateStore for Slots {
    type Key = usize;

    fn measure_and_replace<T, F, E>(&self, key: &usize, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let slots = self.0.get_or_init(|| (0..SLOTS).map(|_| InMemoryState::default()).collect());
        slots[*key % SLOTS].measure_and_replace(&NotKeyed::NonKey, measure)
    }
}

impl Meter {
    /// Reads the rate.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn build(rate: &Rate) -> Result<Self, String> {
        let limiter = RateLimiter::new(quota(rate)?, Slots::default(), MonotonicClock);
        let (waits, since) = (OnceLock::new(), MonotonicClock.now());
        Ok(Self { limiter, waits, since, hasher: foldhash::quality::RandomState::default() })
    }

    /// Counts one of `key`'s; when it is too much, how long until one more is not.
    pub(super) fn take(&self, key: &impl Hash) -> Result<(), Duration> {
        let (now, slot) = (MonotonicClock.now(), self.slot(key));
        self.limiter.check_key(&slot).map_err(|not_until| {
            let wait = not_until.wait_time_from(now);
            let waits = self.waits.get_or_init(|| (0..SLOTS).map(|_| AtomicU64::new(0)).collect());
            waits[slot].store(self.micros(now + wait), Ordering::Relaxed);
            wait
        })
    }

    /// How long `key`, which was told to wait, still has to; it is not counted.
    pub(super) fn wait(&self, key: &impl Hash) -> Option<Duration> {
        let until = self.waits.get()?[self.slot(key)].load(Ordering::Relaxed);
        let left = until.checked_sub(self.micros(MonotonicClock.now()))?;
        (left > 0).then(|| Duration::from_micros(left))
    }

    fn slot(&self, key: &impl Hash) -> usize {
        usize::try_from(self.hasher.hash_one(key) % SLOTS as u64).unwrap_or(0)
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.since).as_micros()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

fn quota(rate: &Rate) -> Result<Quota, String> {
    let wrong = || format!("`{}` is no rate: it is written `100/s`, `600/min` or `1000/h`", rate.rate);
    let (count, unit) = rate.rate.split_once('/').ok_or_else(wrong)?;
    let count: NonZeroU32 = count.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "s" => Duration::from_secs(1),
        "min" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        _ => return Err(wrong()),
    };
    let burst = match rate.burst {
        None => count,
        Some(burst) => NonZeroU32::new(burst).ok_or("`burst` is 0: nothing would be let through")?,
    };
    Ok(Quota::with_period(unit / count.get()).ok_or_else(wrong)?.allow_burst(burst))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::Meter;
    use crate::throttle::settings::Rate;

    fn rate(text: &str, burst: Option<u32>) -> Rate {
        Rate { rate: text.to_owned(), burst }
    }

    #[test]
    fn emg_2_each_key_has_its_own_rate_and_is_told_when_it_may_come_again() {
        let meter = Meter::build(&rate("60/h", Some(2))).unwrap();
        assert_eq!((meter.take(&"ann"), meter.take(&"ann")), (Ok(()), Ok(())));
        let wait = meter.take(&"ann").unwrap_err();
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
        assert_eq!(meter.take(&"bob"), Ok(()));
        assert!(meter.wait(&"ann").is_some_and(|left| left > Duration::from_secs(40) && left <= wait));
        assert_eq!(meter.wait(&"bob"), None);
    }

    #[test]
    fn emg_2_a_rate_that_is_none_is_named() {
        for wrong in ["", "5", "0/s", "-1/s", "5/day", "1.5/s", "99999999999/s", "s/5"] {
            let why = Meter::build(&rate(wrong, None)).unwrap_err();
            assert!(why.contains(&format!("`{wrong}`")), "{why}");
        }
        assert!(Meter::build(&rate("5/s", Some(0))).unwrap_err().contains("burst"));
    }
}
