//! A watch channel: the latest value, and a word to all who wait for another one.
//!
//! As tokio's, but that all are woken in the order in which they began to wait, where tokio's takes an order of chance:
//! a simulated world goes the same way twice only where nothing is left to chance (TRB-4).

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::Notify;

/// The one who says what the value is.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// One who waits for another value.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

/// The value as it is; not to be held across an await.
#[derive(Debug)]
pub(crate) struct Ref<'a, T>(RwLockReadGuard<'a, T>);

/// The sender is gone: there will be no other value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

#[derive(Debug)]
struct Shared<T> {
    value: RwLock<T>,
    /// Counts values; changed while the value is locked.
    version: AtomicU64,
    closed: AtomicBool,
    changed: Notify,
}

/// A channel of `value`, and one who has seen it.
pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T> Shared<T> {
    fn read(&self) -> Ref<'_, T> {
        Ref(self.value.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Waits for a version that is not `seen`, which it then is.
    async fn newer_than(&self, seen: &mut u64) -> Result<(), Closed> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // In the line before the look: what changes after it is told.
            changed.as_mut().enable();
            // Asked first: what was said before the end counts.
            let closed = self.closed.load(Ordering::Acquire);
            let version = self.version();
            if version != *seen {
                *seen = version;
                return Ok(());
            }
            if closed {
                return Err(Closed);
            }
            changed.await;
        }
    }
}

impl<T> Sender<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Shared {
            value: RwLock::new(value),
            version: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            changed: Notify::new(),
        }))
    }

    /// One who has seen the value as it is now.
    pub(crate) fn subscribe(&self) -> Receiver<T> {
        Receiver { shared: Arc::clone(&self.0), seen: self.0.version() }
    }

    pub(crate) fn borrow(&self) -> Ref<'_, T> {
        self.0.read()
    }

    /// Changes the value, and tells all who wait.
    pub(crate) fn send_modify(&self, change: impl FnOnce(&mut T)) {
        {
            let mut value = self.0.value.write().unwrap_or_else(PoisonError::into_inner);
            change(&mut value);
            self.0.version.fetch_add(1, Ordering::Release);
        }
        self.0.changed.notify_waiters();
    }

    /// Puts another value in its place, and tells all who wait.
    pub(crate) fn send_replace(&self, value: T) {
        self.send_modify(|old| *old = value);
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> Receiver<T> {
    pub(crate) fn borrow(&self) -> Ref<'_, T> {
        self.shared.read()
    }

    /// The value as it is, which then is no news any more.
    pub(crate) fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let value = self.shared.read();
        self.seen = self.shared.version();
        value
    }

    /// Whether there is a value that was not seen.
    ///
    /// # Errors
    /// When the sender is gone.
    pub(crate) fn has_changed(&self) -> Result<bool, Closed> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(Closed);
        }
        Ok(self.shared.version() != self.seen)
    }

    /// Whether both wait for the same sender's values.
    pub(crate) fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Waits for a value that was not seen.
    ///
    /// # Errors
    /// When there is none and the sender is gone.
    pub(crate) async fn changed(&mut self) -> Result<(), Closed> {
        self.shared.newer_than(&mut self.seen).await
    }

    /// Waits until the value is as `wanted`, which it may be already.
    ///
    /// # Errors
    /// When it is not and the sender is gone.
    pub(crate) async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, Closed> {
        let mut closed = false;
        loop {
            {
                let value = self.shared.read();
                self.seen = self.shared.version();
                if wanted(&value) {
                    return Ok(value);
                }
            }
            if closed {
                return Err(Closed);
            }
            // What the sender said last is looked at, too.
            closed = self.shared.newer_than(&mut self.seen).await.is_err();
        }
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use super::{Closed, channel};

    #[tokio::test]
    async fn trb_4_all_are_woken_in_the_order_in_which_they_began_to_wait() {
        const WAITING: usize = 64;
        let (sender, receiver) = channel(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..WAITING {
            let (mut receiver, woken) = (receiver.clone(), Arc::clone(&woken));
            tasks.spawn(async move {
                receiver.changed().await.unwrap();
                woken.lock().unwrap().push(number);
            });
        }
        // One thread, which runs so many of them each time that this one lets go.
        for _ in 0..WAITING {
            tokio::task::yield_now().await;
        }
        sender.send_replace(1);
        while tasks.join_next().await.is_some() {}
        assert_eq!(*woken.lock().unwrap(), (0..WAITING).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_was_said_before_the_look_and_before_the_end_is_heard() {
        let (sender, mut receiver) = channel(0);
        sender.send_modify(|value| *value += 1);
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!(*receiver.borrow(), 1);
        sender.send_replace(2);
        assert_eq!(*receiver.borrow_and_update(), 2);
        sender.send_replace(3);
        drop(sender);
        assert_eq!(receiver.wait_for(|value| *value == 3).await.map(|value| *value), Ok(3));
        assert_eq!(receiver.changed().await, Err(Closed));
        assert!(receiver.wait_for(|value| *value == 4).await.is_err());
    }

    #[tokio::test]
    async fn who_waits_for_a_value_that_is_there_waits_not_at_all() {
        let (sender, mut receiver) = channel(7);
        assert_eq!(receiver.wait_for(|value| *value == 7).await.map(|value| *value), Ok(7));
        let waiting = tokio::spawn(async move { receiver.wait_for(|value| *value == 9).await.map(|value| *value) });
        tokio::task::yield_now().await;
        sender.send_replace(8);
        tokio::task::yield_now().await;
        sender.send_replace(9);
        assert_eq!(waiting.await.unwrap(), Ok(9));
    }
}
