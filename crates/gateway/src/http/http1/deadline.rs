//! A deadline that is put off at each request without a word to the timers: it goes off at the earliest, and looks then.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A deadline.
pub(super) struct Deadline {
    at: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    pub(super) fn new(after: Duration) -> Self {
        let at = Instant::now() + after;
        Self { at, timer: Box::pin(tokio::time::sleep_until(at)) }
    }

    /// It is `after` from now.
    pub(super) fn put_off(&mut self, after: Duration) {
        self.at = Instant::now() + after;
        if self.at < self.timer.deadline() {
            self.timer.as_mut().reset(self.at);
        }
    }

    /// Whether it is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.at <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Deadline;

    #[tokio::test]
    async fn trb_1_it_ends_when_it_was_last_put_off_to() {
        let (soon, late) = (Duration::from_millis(20), Duration::from_secs(3600));
        let mut deadline = Deadline::new(soon);
        deadline.put_off(late);
        // The timer goes off as it was first set, and that is not the end.
        tokio::time::sleep(2 * soon).await;
        let ended = std::future::poll_fn(|cx| Poll::Ready(deadline.poll(cx).is_ready())).await;
        assert!(!ended);
        let began = Instant::now();
        deadline.put_off(soon);
        std::future::poll_fn(|cx| deadline.poll(cx)).await;
        assert!(began.elapsed() >= soon);
    }
}
