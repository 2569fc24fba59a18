//! Deadlines, breaker and bulkhead of a server (EMG-1): as they are written, and what they mean.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds a call may stay without an answer or a sign of progress, where nothing else is said.
const TIMEOUT_S: u64 = 120;
/// Seconds a call may last, whatever progress its server tells of.
const LONGEST_S: u64 = 24 * 3600;
/// Failures in a row that open a breaker.
const FAILURES: u32 = 5;
/// Seconds within which they have to happen. Long enough for calls that fail one after the other, each by its timeout.
const WINDOW_S: u64 = 600;
/// Seconds that a breaker stays open.
const OPEN_S: u64 = 10;
/// Calls that try a server out at a time.
const PROBES: u32 = 1;
/// Calls in flight at one server.
const CALLS_MAX: usize = 1_000;
/// Calls that wait for a place at one server.
const WAITING_MAX: usize = 1_000;
/// Seconds such a call waits.
const WAIT_S: u64 = 30;

/// What holds for every server whose own entry says nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerDefaults {
    /// Seconds a call may stay without an answer or a sign of progress (1 to 86,400; 120 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_s: Option<u64>,
    /// Seconds a call may last at all, whatever progress its server tells of (1 to 86,400, which it is when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub longest_s: Option<u64>,
    /// Seconds to connect or to start, handshake included (1 to 3,600; 30 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub connect_timeout_s: Option<u64>,
    /// When a server that keeps failing is left alone.
    #[serde(skip_serializing_if = "is_default")]
    pub breaker: BreakerSettings,
    /// How many calls one server may hold.
    #[serde(skip_serializing_if = "is_default")]
    pub bulkhead: BulkheadSettings,
}

/// A circuit breaker: closed, it lets calls through; after so many failures in a row it opens, and calls are refused at
/// once; after a time it is half-open, and a few calls try the server out. Failures are connections that break, answers
/// that are none and timeouts; never a tool's own error or a JSON-RPC error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// Failures in a row that open it (5 when not said); 0 for no breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub failures: Option<u32>,
    /// Seconds within which they have to happen (600 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub window_s: Option<u64>,
    /// Seconds it stays open before calls try the server out (10 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub open_s: Option<u64>,
    /// Calls let through at a time while it is half-open, and answers it takes to close (1 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub probes: Option<u32>,
}

/// A bulkhead: a server that is slow fills its own places and nobody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BulkheadSettings {
    /// Calls in flight at a time (1,000 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub calls_max: Option<usize>,
    /// Calls that may wait for one of these to end; further ones are refused at once (1,000 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub waiting_max: Option<usize>,
    /// Seconds that such a call waits before it is refused (30 when not said).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub wait_s: Option<u64>,
}

/// What [`BreakerSettings`] mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BreakerLimits {
    /// 0 for no breaker.
    pub(crate) failures: u32,
    pub(crate) window: Duration,
    pub(crate) open: Duration,
    pub(crate) probes: u32,
}

/// What [`BulkheadSettings`] mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BulkheadLimits {
    pub(crate) calls_max: usize,
    pub(crate) waiting_max: usize,
    pub(crate) wait: Duration,
}

/// Deadlines and bounds of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resilience {
    /// How long a call may stay without an answer or a sign of progress.
    pub(crate) timeout: Duration,
    /// How long a call may last at all.
    pub(crate) longest: Duration,
    pub(crate) breaker: BreakerLimits,
    pub(crate) bulkhead: BulkheadLimits,
}

impl ServerDefaults {
    /// What `self` says, or `defaults` where it says nothing.
    #[must_use]
    pub fn or(&self, defaults: &Self) -> Self {
        let (breaker, bulkhead) = (&defaults.breaker, &defaults.bulkhead);
        Self {
            timeout_s: self.timeout_s.or(defaults.timeout_s),
            longest_s: self.longest_s.or(defaults.longest_s),
            connect_timeout_s: self.connect_timeout_s.or(defaults.connect_timeout_s),
            breaker: BreakerSettings {
                failures: self.breaker.failures.or(breaker.failures),
                window_s: self.breaker.window_s.or(breaker.window_s),
                open_s: self.breaker.open_s.or(breaker.open_s),
                probes: self.breaker.probes.or(breaker.probes),
            },
            bulkhead: BulkheadSettings {
                calls_max: self.bulkhead.calls_max.or(bulkhead.calls_max),
                waiting_max: self.bulkhead.waiting_max.or(bulkhead.waiting_max),
                wait_s: self.bulkhead.wait_s.or(bulkhead.wait_s),
            },
        }
    }
}

impl Resilience {
    /// What an entry says, or what holds where it says nothing.
    pub(crate) fn build(said: &ServerDefaults) -> Self {
        let seconds = |said: Option<u64>, otherwise| Duration::from_secs(said.unwrap_or(otherwise).max(1));
        let (breaker, bulkhead) = (&said.breaker, &said.bulkhead);
        Self {
            timeout: seconds(said.timeout_s, TIMEOUT_S),
            longest: seconds(said.longest_s, LONGEST_S),
            breaker: BreakerLimits {
                failures: breaker.failures.unwrap_or(FAILURES),
                window: seconds(breaker.window_s, WINDOW_S),
                open: seconds(breaker.open_s, OPEN_S),
                probes: breaker.probes.unwrap_or(PROBES).max(1),
            },
            bulkhead: BulkheadLimits {
                calls_max: bulkhead.calls_max.unwrap_or(CALLS_MAX).max(1),
                waiting_max: bulkhead.waiting_max.unwrap_or(WAITING_MAX),
                wait: seconds(bulkhead.wait_s, WAIT_S),
            },
        }
    }
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BreakerSettings, Resilience, ServerDefaults};

    #[test]
    fn emg_1_an_entry_goes_before_the_defaults_key_by_key() {
        let defaults = ServerDefaults {
            timeout_s: Some(7),
            connect_timeout_s: Some(9),
            breaker: BreakerSettings { failures: Some(3), open_s: Some(4), ..Default::default() },
            ..Default::default()
        };
        let breaker = BreakerSettings { failures: Some(0), ..Default::default() };
        let merged = ServerDefaults { breaker, longest_s: Some(8), ..Default::default() }.or(&defaults);
        let built = Resilience::build(&merged);
        assert_eq!((built.timeout, built.longest), (Duration::from_secs(7), Duration::from_secs(8)));
        assert_eq!((built.breaker.failures, built.breaker.open), (0, Duration::from_secs(4)));
        assert_eq!((built.breaker.probes, merged.connect_timeout_s), (super::PROBES, Some(9)));
    }
}
