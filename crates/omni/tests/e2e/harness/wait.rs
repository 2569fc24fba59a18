//! Waiting with a bound: for something to come true, or for work to end.

use std::future::Future;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
/// For anything that a test asks of a program.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Waits until `look` finds something; tells `what` was waited for when it does not within `seconds`.
pub(crate) async fn until<T>(what: &str, seconds: u64, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if Instant::now() >= end => panic!("{what}: not within {seconds} s; last seen: {seen}"),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// The outcome of `work`, which must end within a minute.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(ANSWER_LIMIT, work).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what}: no answer within {} s", ANSWER_LIMIT.as_secs()),
    }
}
