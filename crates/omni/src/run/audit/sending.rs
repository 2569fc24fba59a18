//! Trying again, later and later.

use std::time::Duration;

use tokio::sync::watch;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// How often something failed, and how long to wait for the next try.
#[derive(Debug, Default)]
pub(super) struct Tries {
    failed: u32,
}

impl Tries {
    /// It went well; said once after a failure.
    pub(super) fn well(&mut self, what: &str) {
        if self.failed > 0 {
            tracing::info!("audit: {what} takes what it is sent again");
        }
        self.failed = 0;
    }

    /// It failed; said with the first of a row and each tenth after it. For how long to wait.
    pub(super) fn failed(&mut self, what: &str, why: &str) -> Duration {
        let wait = LONGEST.min(FIRST * 2_u32.saturating_pow(self.failed.min(16)));
        if self.failed.is_multiple_of(10) {
            tracing::warn!("audit: {what} does not take what it is sent, it is tried again: {why}");
        }
        self.failed = self.failed.saturating_add(1);
        wait
    }
}

/// Waits, but not longer than the hub runs; `true` when it stops.
pub(super) async fn pause(time: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    let stopped = tokio::select! {
        () = tokio::time::sleep(time) => return false,
        stopped = async { stopping.wait_for(|stop| *stop).await.is_ok() } => stopped,
    };
    if !stopped {
        // Who could say so is gone: then only the time counts.
        tokio::time::sleep(time).await;
    }
    stopped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST, Tries};

    #[test]
    fn emg_1_a_receiver_that_fails_is_asked_less_and_less() {
        let mut tries = Tries::default();
        let waits: Vec<Duration> = (0..12).map(|_| tries.failed("x", "y")).collect();
        assert_eq!(waits[..3].iter().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(waits.last(), Some(&LONGEST));
        tries.well("x");
        assert_eq!(tries.failed("x", "y").as_secs(), 1);
    }
}
