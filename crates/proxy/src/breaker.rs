//! A circuit breaker: a server whose calls keep failing is left alone for a while, and then tried out (EMG-1).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use crate::error::LinkError;
use crate::resilience::BreakerLimits;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are refused.
    Open,
    /// A few calls try the server out.
    HalfOpen,
}

/// What is known of a breaker.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BreakerStatus {
    /// Where it stands.
    pub state: BreakerState,
    /// Failures in a row, within the window.
    pub failures: usize,
    /// How often it opened since the server was configured.
    pub opened: u64,
    /// Milliseconds until calls are let through again, while it is open.
    pub retry_after_ms: Option<u64>,
}

/// A circuit breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    limits: BreakerLimits,
    /// Closed, and the last call did not fail: the one state that a call has to look at on its usual way.
    untroubled: AtomicBool,
    /// How often it opened. What becomes of a call that began before says nothing about the time since.
    opened: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// When the last failures in a row happened.
    failures: VecDeque<Instant>,
    why: Option<LinkError>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        admitted: u32,
        answered: u32,
        /// When further calls are let through, should those before not have come to an end.
        renewed: Instant,
    },
}

impl Breaker {
    pub(crate) fn new(limits: BreakerLimits) -> Self {
        Self { limits, untroubled: AtomicBool::new(true), opened: AtomicU64::new(0), state: Mutex::default() }
    }

    /// Lets a call through, or says why not.
    pub(crate) fn admit(&self) -> Result<(), LinkError> {
        if self.untroubled.load(Ordering::Acquire) { Ok(()) } else { self.admit_at(Instant::now()) }
    }

    fn admit_at(&self, now: Instant) -> Result<(), LinkError> {
        let mut state = self.lock();
        let refused = |state: &State, until: Instant| {
            let seconds = until.saturating_duration_since(now).as_secs_f64().ceil() as u64;
            let why = state.why.as_ref().map(ToString::to_string).unwrap_or_default();
            Err(LinkError::Open { failures: state.failures.len(), seconds: seconds.max(1), why })
        };
        match state.phase {
            Phase::Closed => Ok(()),
            Phase::Open { until } if now < until => refused(&state, until),
            Phase::Open { .. } => {
                state.phase = Phase::HalfOpen { admitted: 1, answered: 0, renewed: now + self.limits.open };
                Ok(())
            }
            Phase::HalfOpen { admitted, renewed, .. } if admitted >= self.limits.probes && now < renewed => {
                refused(&state, renewed)
            }
            Phase::HalfOpen { ref mut admitted, ref mut renewed, .. } => {
                if *admitted >= self.limits.probes {
                    (*admitted, *renewed) = (0, now + self.limits.open);
                }
                *admitted += 1;
                Ok(())
            }
        }
    }

    /// A number for [`Breaker::succeeded`] and [`Breaker::failed`], taken when a call begins.
    pub(crate) fn epoch(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }

    /// A call that began in `epoch` was answered.
    pub(crate) fn succeeded(&self, epoch: u64) {
        if self.untroubled.load(Ordering::Acquire) || epoch != self.epoch() {
            return;
        }
        let mut state = self.lock();
        let closed = match &mut state.phase {
            Phase::Closed => true,
            // Its calls were not let through by this breaker: the hub's own, by which it reads lists.
            Phase::Open { .. } => false,
            Phase::HalfOpen { answered, admitted, .. } => {
                *answered += 1;
                *admitted = admitted.saturating_sub(1);
                *answered >= self.limits.probes
            }
        };
        if closed {
            *state = State::default();
            self.untroubled.store(true, Ordering::Release);
        }
    }

    /// A call that began in `epoch` failed; `true` when that opened it.
    pub(crate) fn failed(&self, epoch: u64, why: &LinkError) -> bool {
        self.failed_at(epoch, why, Instant::now())
    }

    fn failed_at(&self, epoch: u64, why: &LinkError, now: Instant) -> bool {
        if self.limits.failures == 0 || epoch != self.epoch() {
            return false;
        }
        let mut state = self.lock();
        self.untroubled.store(false, Ordering::Release);
        state.why = Some(why.clone());
        state.failures.push_back(now);
        while state.failures.front().is_some_and(|first| now.saturating_duration_since(*first) > self.limits.window) {
            state.failures.pop_front();
        }
        let opens = match state.phase {
            Phase::Closed => state.failures.len() >= self.limits.failures as usize,
            Phase::Open { .. } => false,
            Phase::HalfOpen { .. } => true,
        };
        if opens {
            state.phase = Phase::Open { until: now + self.limits.open };
            self.opened.fetch_add(1, Ordering::AcqRel);
        }
        // Bounded: what is above the number that opens it says nothing more.
        while state.failures.len() > self.limits.failures as usize {
            state.failures.pop_front();
        }
        opens
    }

    pub(crate) fn status(&self) -> BreakerStatus {
        self.status_at(Instant::now())
    }

    fn status_at(&self, now: Instant) -> BreakerStatus {
        let state = self.lock();
        let (word, retry) = match state.phase {
            Phase::Closed => (BreakerState::Closed, None),
            Phase::Open { until } if now < until => (BreakerState::Open, Some(until.saturating_duration_since(now))),
            Phase::Open { .. } => (BreakerState::HalfOpen, None),
            Phase::HalfOpen { admitted, renewed, .. } => {
                let full = admitted >= self.limits.probes && now < renewed;
                (BreakerState::HalfOpen, full.then(|| renewed.saturating_duration_since(now)))
            }
        };
        BreakerStatus {
            state: word,
            failures: state.failures.len(),
            opened: self.opened.load(Ordering::Acquire),
            retry_after_ms: retry.map(millis),
        }
    }

    /// Why it is not closed.
    pub(crate) fn why(&self) -> Option<LinkError> {
        let state = self.lock();
        if matches!(state.phase, Phase::Closed) { None } else { state.why.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole milliseconds, rounded up: whoever waits so long does not come too early.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
