//! A bulkhead: how many calls one server may hold, so that its slowness fills its own places and nobody else's (EMG-1);
//! who waits for a place gets it in turn with the other callers, however many calls each of them has (EMG-2).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::error::LinkError;
use crate::resilience::BulkheadLimits;

/// The places of one server.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    limits: BulkheadLimits,
    places: Arc<Places>,
}

/// A call's place at its server; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    /// `None` when it has been handed on.
    places: Option<Arc<Places>>,
}

/// On whose account a call waits. Calls of one account stand in one line, and the lines take turns.
pub type Account = u64;

#[derive(Debug)]
struct Places(Mutex<Queue>);

/// Either places are free, or some wait.
#[derive(Debug)]
struct Queue {
    free: usize,
    closed: bool,
    waiting: usize,
    /// Accounts of which some wait, the next one first.
    turns: VecDeque<Account>,
    lines: HashMap<Account, VecDeque<Waiter>, foldhash::fast::RandomState>,
    next_number: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    hand: oneshot::Sender<Place>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(mut places) = self.places.take() else { return };
        // Who waited may have gone in the meantime: then it is the next one's.
        loop {
            // In a statement of its own: the lock is not held while the place changes hands.
            let next = places.lock().next_in_turn();
            let Some(next) = next else { return };
            match next.hand.send(Self { places: Some(places) }) {
                Ok(()) => return,
                Err(mut refused) => match refused.places.take() {
                    Some(back) => places = back,
                    None => return,
                },
            }
        }
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whose turn it is; when nobody waits, the place is free.
    fn next_in_turn(&mut self) -> Option<Waiter> {
        while let Some(account) = self.turns.pop_front() {
            let Some(line) = self.lines.get_mut(&account) else { continue };
            let next = line.pop_front();
            if line.is_empty() {
                self.lines.remove(&account);
            } else {
                self.turns.push_back(account);
            }
            if next.is_some() {
                self.waiting -= 1;
                return next;
            }
        }
        self.free += 1;
        None
    }

    /// Puts one at the end of its account's line; its number there.
    fn stand(&mut self, account: Account, hand: oneshot::Sender<Place>) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let line = self.lines.entry(account).or_default();
        if line.is_empty() {
            self.turns.push_back(account);
        }
        line.push_back(Waiter { number, hand });
        self.waiting += 1;
        number
    }

    /// Sends the last one of the longest line away, if `account`'s is shorter by more than one.
    fn make_room(&mut self, account: Account) -> bool {
        let own = self.lines.get(&account).map_or(0, VecDeque::len);
        let Some(longest) = self.lines.values_mut().max_by_key(|line| line.len()) else { return false };
        // The longest line has two at least, so that it never ends here.
        if longest.len() <= own + 1 || longest.pop_back().is_none() {
            return false;
        }
        self.waiting -= 1;
        true
    }

    /// Takes one out of its line that has gone.
    fn leave(&mut self, account: Account, number: u64) {
        let Some(line) = self.lines.get_mut(&account) else { return };
        let Ok(at) = line.binary_search_by_key(&number, |waiter| waiter.number) else { return };
        let _gone = line.remove(at);
        self.waiting -= 1;
        if line.is_empty() {
            self.lines.remove(&account);
            self.turns.retain(|other| *other != account);
        }
    }
}

/// One that waits; it leaves its line when this is dropped.
struct Standing<'a> {
    places: &'a Places,
    account: Account,
    number: u64,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.places.lock().leave(self.account, self.number);
    }
}

impl Bulkhead {
    pub(crate) fn new(limits: BulkheadLimits) -> Self {
        let queue = Queue {
            free: limits.calls_max,
            closed: false,
            waiting: 0,
            turns: VecDeque::new(),
            lines: HashMap::default(),
            next_number: 0,
        };
        Self { limits, places: Arc::new(Places(Mutex::new(queue))) }
    }

    /// A place, at once or after a wait of bounded length in a queue of bounded length. `account` is asked for only when
    /// the call has to wait.
    pub(crate) async fn enter(&self, account: impl FnOnce() -> Account) -> Result<Place, LinkError> {
        {
            let mut queue = self.places.lock();
            if queue.closed {
                return Err(LinkError::Stopped);
            }
            if queue.free > 0 {
                queue.free -= 1;
                return Ok(Place { places: Some(Arc::clone(&self.places)) });
            }
        }
        // The wait is rare and its future large: boxed, it does not weigh on every call.
        Box::pin(self.wait(account())).await
    }

    async fn wait(&self, account: Account) -> Result<Place, LinkError> {
        let (hand, handed) = oneshot::channel();
        let full = |waiting, seconds| LinkError::Full { calls: self.limits.calls_max, waiting, seconds };
        let (before, number) = {
            let mut queue = self.places.lock();
            let before = queue.waiting;
            if queue.closed {
                return Err(LinkError::Stopped);
            }
            if queue.free > 0 {
                // One came free since.
                queue.free -= 1;
                return Ok(Place { places: Some(Arc::clone(&self.places)) });
            }
            if before >= self.limits.waiting_max && !queue.make_room(account) {
                return Err(full(before, 0));
            }
            (before, queue.stand(account, hand))
        };
        let _standing = Standing { places: &self.places, account, number };
        match tokio::time::timeout(self.limits.wait, handed).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_sent_away)) if self.places.lock().closed => Err(LinkError::Stopped),
            Ok(Err(_sent_away)) => Err(full(before, 0)),
            Err(_) => Err(full(before, self.limits.wait.as_secs())),
        }
    }

    /// Whether the next one need not wait.
    pub(crate) fn is_free(&self) -> bool {
        self.places.lock().free > 0
    }

    /// Nobody enters any more; who waits is told.
    pub(crate) fn close(&self) {
        let mut queue = self.places.lock();
        queue.closed = true;
        queue.waiting = 0;
        queue.turns.clear();
        queue.lines.clear();
    }

    /// Calls that hold a place.
    pub(crate) fn in_use(&self) -> usize {
        self.limits.calls_max.saturating_sub(self.places.lock().free)
    }

    /// Calls that wait for one.
    pub(crate) fn waiting(&self) -> usize {
        self.places.lock().waiting
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::Poll;
    use std::time::Duration;

    use super::{Account, Bulkhead};
    use crate::error::LinkError;
    use crate::resilience::BulkheadLimits;

    fn bulkhead(waiting_max: usize, wait: Duration) -> Arc<Bulkhead> {
        Arc::new(Bulkhead::new(BulkheadLimits { calls_max: 1, waiting_max, wait }))
    }

    async fn waits(mut place: Pin<&mut impl Future>) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(place.as_mut().poll(cx).is_pending())).await
    }

    #[tokio::test]
    async fn emg_1_who_finds_it_full_waits_in_a_bounded_queue_for_a_bounded_time() {
        let bulkhead = bulkhead(1, Duration::from_secs(1));
        let first = bulkhead.enter(|| 1).await.unwrap();
        let (second, third) = tokio::join!(bulkhead.enter(|| 1), bulkhead.enter(|| 1));
        assert_eq!(second.unwrap_err(), LinkError::Full { calls: 1, waiting: 0, seconds: 1 });
        assert_eq!(third.unwrap_err(), LinkError::Full { calls: 1, waiting: 1, seconds: 0 });
        assert_eq!((bulkhead.in_use(), bulkhead.waiting()), (1, 0));
        let (next, ()) = tokio::join!(bulkhead.enter(|| 1), async { drop(first) });
        drop(next.unwrap());
        assert_eq!(bulkhead.in_use(), 0);
    }

    #[tokio::test]
    async fn emg_1_who_waits_at_a_server_that_is_stopped_is_told() {
        let bulkhead = bulkhead(1, Duration::from_secs(60));
        let _first = bulkhead.enter(|| 1).await.unwrap();
        let (waiting, ()) = tokio::join!(bulkhead.enter(|| 1), async { bulkhead.close() });
        assert_eq!(waiting.unwrap_err(), LinkError::Stopped);
        assert_eq!(bulkhead.enter(|| 1).await.unwrap_err(), LinkError::Stopped);
    }

    /// Lets `calls` of accounts wait in this order while one holds the place; the order in which they got it.
    async fn served(bulkhead: &Arc<Bulkhead>, calls: &[Account]) -> Vec<Account> {
        let holds = bulkhead.enter(|| 0).await.unwrap();
        let (order, mut all) = (Arc::new(Mutex::new(Vec::new())), tokio::task::JoinSet::new());
        for account in calls.iter().copied() {
            let (bulkhead, order, waits) = (Arc::clone(bulkhead), Arc::clone(&order), bulkhead.waiting());
            let its = Arc::clone(&bulkhead);
            all.spawn(async move {
                let place = its.enter(move || account).await;
                if place.is_ok() {
                    order.lock().unwrap().push(account);
                }
            });
            // It stands in line, or was refused or took another's place there, before the next one comes.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert!(bulkhead.waiting() >= waits);
        }
        drop(holds);
        all.join_all().await;
        order.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn emg_2_accounts_take_turns_however_many_calls_each_has() {
        let bulkhead = bulkhead(100, Duration::from_secs(60));
        assert_eq!(served(&bulkhead, &[1, 1, 1, 1, 2, 2, 3]).await, [1, 2, 3, 1, 2, 1, 1]);
        assert_eq!((bulkhead.in_use(), bulkhead.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn emg_2_one_account_cannot_keep_the_others_out_of_the_queue() {
        let bulkhead = bulkhead(4, Duration::from_secs(60));
        // The fifth of account 1 is refused; 2 and 3 get in at the cost of its last ones; 2's third is refused.
        assert_eq!(served(&bulkhead, &[1, 1, 1, 1, 1, 2, 3, 2]).await, [1, 2, 3, 1]);
        assert_eq!((bulkhead.in_use(), bulkhead.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn emg_1_who_leaves_the_queue_leaves_nothing_behind() {
        let bulkhead = bulkhead(10, Duration::from_secs(60));
        let first = bulkhead.enter(|| 1).await.unwrap();
        for account in 0..5 {
            let waiting = bulkhead.enter(move || account);
            assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
        }
        {
            let queue = bulkhead.places.lock();
            assert_eq!((queue.waiting, queue.turns.len(), queue.lines.len()), (0, 0, 0));
        }
        // One that is handed its place in the moment it goes gives it on.
        let mut leaves = Box::pin(bulkhead.enter(|| 1));
        let mut stays = Box::pin(bulkhead.enter(|| 2));
        assert!(waits(leaves.as_mut()).await && waits(stays.as_mut()).await);
        drop(first);
        drop(leaves);
        drop(stays.await.unwrap());
        assert_eq!(bulkhead.in_use(), 0);
    }
}
