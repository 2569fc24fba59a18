//! How a server fares, for those who call it: its breaker, its back-off, its places, and what a failure is told as.

use std::pin::Pin;
use std::time::Duration;

use omni_egress::EgressError;
use omni_types::{Fault, ServerName};

use crate::back_off::BackOff;
use crate::breaker::{Breaker, BreakerState, millis};
use crate::bulkhead::{Account, Bulkhead, Place};
use crate::error::LinkError;
use crate::resilience::Resilience;
use crate::watch_channel;

/// Lowest HTTP status that is a failure of the server and no answer to its client.
const SERVER_ERROR: u16 = 500;

/// How one server fares.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) breaker: Breaker,
    pub(crate) back_off: BackOff,
    pub(crate) bulkhead: Bulkhead,
    /// Whether calls in flight are to end.
    ending: watch_channel::Sender<bool>,
}

impl Health {
    pub(crate) fn new(resilience: &Resilience) -> Self {
        Self {
            breaker: Breaker::new(resilience.breaker),
            back_off: BackOff::default(),
            bulkhead: Bulkhead::new(resilience.bulkhead),
            ending: watch_channel::Sender::new(false),
        }
    }

    /// A place for one call; `account` is asked for when it has to wait.
    pub(crate) async fn enter(&self, account: impl FnOnce() -> Account) -> Result<Place, LinkError> {
        if self.bulkhead.is_free() {
            self.breaker.admit()?;
            return self.bulkhead.enter(account).await;
        }
        let place = self.bulkhead.enter(account).await?;
        // The breaker may have opened meanwhile: who waited in line need not find out one by one.
        self.breaker.admit()?;
        Ok(place)
    }

    /// Whether calls hold or want a place.
    pub(crate) fn is_busy(&self) -> bool {
        self.bulkhead.in_use() > 0 || self.bulkhead.waiting() > 0
    }

    /// Ends the calls in flight, and lets no others in.
    pub(crate) fn end_calls(&self) {
        self.bulkhead.close();
        self.ending.send_replace(true);
    }

    /// Does `work` unless calls are to end before. It is pinned by the caller: given by value it would lie twice in every
    /// call's state.
    pub(crate) async fn unless_ended<T>(
        &self,
        work: Pin<&mut impl Future<Output = Result<T, LinkError>>>,
    ) -> Result<T, LinkError> {
        let mut ending = self.ending.subscribe();
        tokio::select! {
            biased;
            done = work => done,
            _ = ending.wait_for(|end| *end) => Err(LinkError::Stopped),
        }
    }

    /// The fault of a call that failed: which server, why, how it fares, and when it may be tried again.
    pub(crate) fn fault(&self, server: &ServerName, error: &LinkError) -> Fault {
        let breaker = self.breaker.status();
        let back_off = self.back_off.wait();
        let state = match breaker.state {
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
            BreakerState::Closed if back_off.is_some() => "backing-off",
            BreakerState::Closed => "closed",
        };
        let retry = breaker.retry_after_ms.max(back_off.map(millis));
        let retry = retry.map(|ms| format!(r#","retryAfterMs":{ms}"#)).unwrap_or_default();
        let reason = error.reason();
        error
            .fault(server)
            .with_data(format!(r#"{{"server":"{server}","reason":"{reason}","state":"{state}"{retry}}}"#))
    }

    /// Until the next attempt, for tables.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let breaker = self.breaker.status().retry_after_ms.map(Duration::from_millis);
        breaker.max(self.back_off.wait())
    }
}

/// Whether a failure says that the server, or the way to it, is broken; its refusals and the hub's own do not.
pub(crate) fn is_failure(error: &LinkError) -> bool {
    match error {
        LinkError::Timeout { .. }
        | LinkError::Ended { .. }
        | LinkError::Disconnected { .. }
        | LinkError::Broken(_)
        | LinkError::NotStarted { .. } => true,
        // One answer that is too large says nothing about the others, and the bound of the pool nothing about the server.
        LinkError::Egress(EgressError::BodyTooLarge { .. } | EgressError::PoolFull { .. }) => false,
        LinkError::Egress(_) => true,
        LinkError::Status { status, .. } => *status >= SERVER_ERROR,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use omni_egress::EgressError;

    use super::is_failure;
    use crate::error::LinkError;

    #[test]
    fn emg_1_the_hubs_own_full_pool_is_no_failure_of_the_server() {
        let authority = || "127.0.0.1:1".to_owned();
        let full = LinkError::Egress(EgressError::PoolFull { authority: authority(), seconds: 30, max: 20 });
        let unreachable = LinkError::Egress(EgressError::ConnectTimeout { authority: authority(), seconds: 30 });
        assert!(!is_failure(&full) && is_failure(&unreachable));
        assert_eq!((full.reason(), unreachable.reason()), ("overloaded", "unreachable"));
    }
}
