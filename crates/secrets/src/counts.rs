//! What is measured of each provider (row SEC-6).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::settings::ProviderName;

/// What was counted of one provider since the hub started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProviderCounts {
    /// Values that were still kept.
    pub hits: u64,
    /// Values that it was asked for and gave.
    pub misses: u64,
    /// Times that it had none, could not be used, or did not answer.
    pub failures: u64,
    /// Values that it gave because one before it in the chain did not.
    pub fallbacks: u64,
    /// Microseconds that its answers took, together.
    pub latency_us: u64,
    /// Microseconds of the slowest.
    pub latency_us_max: u64,
}

/// The counts of all providers.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<ProviderName, ProviderCounts>>);

impl Counts {
    pub(crate) fn now(&self) -> BTreeMap<ProviderName, ProviderCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn hit(&self, provider: ProviderName) {
        self.with(provider, |counts| counts.hits += 1);
    }

    pub(crate) fn asked(&self, provider: ProviderName, took: Duration, gave: bool, fell_back: bool) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.with(provider, |counts| {
            counts.latency_us = counts.latency_us.saturating_add(took);
            counts.latency_us_max = counts.latency_us_max.max(took);
            match gave {
                true => counts.misses += 1,
                false => counts.failures += 1,
            }
            counts.fallbacks += u64::from(gave && fell_back);
        });
    }

    fn with(&self, provider: ProviderName, change: impl FnOnce(&mut ProviderCounts)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(provider).or_default());
    }
}
