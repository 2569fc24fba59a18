//! Turns at asking an authorization server about tokens: bounded in all and for each place that requests come from.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::credentials::Source;
use crate::refusal::Refusal;

/// Tokens that are asked about at a time.
pub(crate) const ASKED_MAX: usize = 32;
/// Those of one source: a stranger who shows token after token leaves most turns to others.
pub(crate) const ASKED_OF_SOURCE_MAX: usize = 8;
/// For a token to be asked about, where as many are as may.
const WAIT: Duration = Duration::from_secs(2);

/// All turns.
#[derive(Debug)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    /// Of sources that have, or wait for, a turn.
    of_sources: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(ASKED_MAX)), of_sources: Arc::default() }
    }
}

/// One turn, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Given back first.
    _of_all: Option<OwnedSemaphorePermit>,
    _share: Option<Share>,
}

/// The turns of one source, for as long as somebody of it has or wants one.
#[derive(Debug)]
struct Share {
    network: IpAddr,
    turns: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
    of_sources: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
}

impl Turns {
    /// A turn for `source`.
    ///
    /// # Errors
    /// Why the source gets none; `None` where all are taken.
    pub(crate) async fn take(&self, source: Option<Source<'_>>) -> Result<Turn, Option<Refusal>> {
        tokio::time::timeout(WAIT, self.wait(source)).await.unwrap_or(Err(None))
    }

    async fn wait(&self, source: Option<Source<'_>>) -> Result<Turn, Option<Refusal>> {
        let mut share = None;
        if let Some(source) = source {
            (source.slowed)().map_err(Some)?;
            let mut own = self.share(source.network);
            let turns = own.turns.clone();
            if let Some(turns) = turns {
                own.permit = turns.acquire_owned().await.ok();
            }
            // Its earlier ones may have failed meanwhile.
            (source.slowed)().map_err(Some)?;
            share = Some(own);
        }
        let of_all = Arc::clone(&self.all).acquire_owned().await.map_err(|_| None)?;
        Ok(Turn { _of_all: Some(of_all), _share: share })
    }

    fn share(&self, network: IpAddr) -> Share {
        let mut all = self.of_sources.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = all.entry(network).or_insert_with(|| Arc::new(Semaphore::new(ASKED_OF_SOURCE_MAX)));
        let turns = Some(Arc::clone(turns));
        Share { network, turns, permit: None, of_sources: Arc::clone(&self.of_sources) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.of_sources.lock().unwrap_or_else(PoisonError::into_inner);
        // Both hold the semaphore.
        drop((self.permit.take(), self.turns.take()));
        if all.get(&self.network).is_some_and(|turns| Arc::strong_count(turns) == 1) {
            all.remove(&self.network);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::{ASKED_MAX, ASKED_OF_SOURCE_MAX, Turns};
    use crate::credentials::Source;
    use crate::refusal::{Refusal, RefusalKind};

    fn address(last: usize) -> IpAddr {
        format!("192.0.2.{last}").parse().unwrap()
    }

    /// Whether there is no turn for it now.
    async fn has_to_wait(turns: &Turns, source: Option<Source<'_>>) -> bool {
        tokio::time::timeout(Duration::ZERO, turns.wait(source)).await.is_err()
    }

    /// EMG-2: no source has all turns, nobody has more than there are, and all come back.
    #[tokio::test]
    async fn emg_2_a_source_has_its_share_of_the_turns_and_all_have_a_bound() {
        let turns = Turns::default();
        let good = || Ok(());
        let from = |last| Some(Source { network: address(last), slowed: &good });
        let mut held = Vec::new();
        for _ in 0..ASKED_OF_SOURCE_MAX {
            held.push(turns.take(from(1)).await.unwrap());
        }
        assert!(has_to_wait(&turns, from(1)).await, "its share is used up");
        let mut source = 2;
        while held.len() < ASKED_MAX {
            held.push(turns.take(from(source)).await.unwrap());
            source += 1;
        }
        assert!(has_to_wait(&turns, from(source)).await && has_to_wait(&turns, None).await, "all are used up");
        held.clear();
        assert!(turns.of_sources.lock().unwrap().is_empty(), "of sources that ask nothing nothing is kept");
        assert_eq!(turns.all.available_permits(), ASKED_MAX);
        assert!(turns.take(from(1)).await.is_ok());
    }

    /// EMG-2: whose logins fail and fail waits before a server is asked again, also where the last ones failed while it waited.
    #[tokio::test]
    async fn emg_2_a_source_whose_logins_fail_gets_no_turn() {
        let turns = Turns::default();
        let is_slowed = AtomicBool::new(false);
        let slowed = || match is_slowed.load(Ordering::Relaxed) {
            true => Err(Refusal::too_many("too many", Duration::from_secs(1))),
            false => Ok(()),
        };
        let source = Some(Source { network: address(1), slowed: &slowed });
        let mut held = Vec::new();
        for _ in 0..ASKED_OF_SOURCE_MAX {
            held.push(turns.take(source).await.unwrap());
        }
        let waiting = turns.wait(source);
        let failing = async {
            tokio::task::yield_now().await;
            is_slowed.store(true, Ordering::Relaxed);
            held.clear();
        };
        let (waited, ()) = tokio::join!(waiting, failing);
        assert_eq!(waited.unwrap_err().map(|refusal| refusal.kind()), Some(RefusalKind::TooMany));
        assert!(turns.take(source).await.is_err());
        assert!(turns.of_sources.lock().unwrap().is_empty());
    }
}
