//! The breaker's states, on a clock of the test's own.

use std::time::Duration;

use tokio::time::Instant;

use super::{Breaker, BreakerState};
use crate::error::LinkError;
use crate::resilience::BreakerLimits;

const OPEN: Duration = Duration::from_secs(10);

fn breaker(failures: u32, probes: u32) -> Breaker {
    Breaker::new(BreakerLimits { failures, window: Duration::from_secs(60), open: OPEN, probes })
}

fn late() -> LinkError {
    LinkError::Timeout { seconds: 1 }
}

fn at(breaker: &Breaker, now: Instant) -> BreakerState {
    breaker.status_at(now).state
}

#[test]
fn emg_1_failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
    let (breaker, now) = (breaker(3, 1), Instant::now());
    for _ in 0..2 {
        assert!(!breaker.failed_at(0, &late(), now));
    }
    breaker.succeeded(0);
    for _ in 0..2 {
        assert!(!breaker.failed_at(0, &late(), now));
    }
    assert_eq!(at(&breaker, now), BreakerState::Closed);
    assert!(breaker.failed_at(0, &late(), now));
    assert_eq!(at(&breaker, now), BreakerState::Open);
    let refused = breaker.admit_at(now + Duration::from_secs(4));
    assert!(matches!(refused, Err(LinkError::Open { failures: 3, seconds: 6, .. })), "{refused:?}");
    assert_eq!(breaker.status_at(now).retry_after_ms, Some(10_000));
}

#[test]
fn emg_1_failures_that_lie_far_apart_do_not_open_it() {
    let (breaker, now) = (breaker(2, 1), Instant::now());
    for round in 0..5 {
        assert!(!breaker.failed_at(0, &late(), now + Duration::from_secs(61 * round)));
    }
}

#[test]
fn emg_1_half_open_it_lets_so_many_through_and_closes_when_they_are_answered() {
    let (breaker, now) = (breaker(1, 2), Instant::now());
    breaker.failed_at(0, &late(), now);
    let later = now + OPEN;
    assert_eq!(at(&breaker, later), BreakerState::HalfOpen);
    assert!(breaker.admit_at(later).is_ok() && breaker.admit_at(later).is_ok());
    assert!(breaker.admit_at(later).is_err());
    // Should neither come to an end, two more are let through after a while: nobody is locked out for ever.
    assert!(breaker.admit_at(later + OPEN).is_ok());
    breaker.succeeded(breaker.epoch());
    assert_eq!(at(&breaker, later), BreakerState::HalfOpen);
    breaker.succeeded(breaker.epoch());
    assert_eq!(at(&breaker, later), BreakerState::Closed);
    assert!(breaker.admit().is_ok() && breaker.why().is_none());
}

#[test]
fn emg_1_half_open_one_failure_opens_it_again() {
    let (breaker, now) = (breaker(3, 1), Instant::now());
    for _ in 0..3 {
        breaker.failed_at(0, &late(), now);
    }
    assert!(breaker.admit_at(now + OPEN).is_ok());
    assert!(breaker.failed_at(breaker.epoch(), &late(), now + OPEN));
    assert_eq!((at(&breaker, now + OPEN), breaker.status().opened), (BreakerState::Open, 2));
}

#[test]
fn emg_1_calls_that_began_before_it_opened_have_no_say() {
    let (breaker, now) = (breaker(1, 1), Instant::now());
    let before = breaker.epoch();
    breaker.failed_at(before, &late(), now);
    assert!(breaker.admit_at(now + OPEN).is_ok());
    breaker.failed_at(before, &late(), now + OPEN);
    breaker.succeeded(before);
    assert_eq!(at(&breaker, now + OPEN), BreakerState::HalfOpen);
}

#[test]
fn emg_1_without_a_number_of_failures_there_is_no_breaker() {
    let breaker = breaker(0, 1);
    for _ in 0..100 {
        assert!(!breaker.failed_at(0, &late(), Instant::now()));
    }
    assert!(breaker.admit().is_ok());
}
