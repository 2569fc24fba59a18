//! The catalogs of one server: one for each set of abilities that its clients declare, since a server of the earlier
//! revisions may offer each of them something else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::time::Instant;

use crate::capabilities::Capabilities;
use crate::catalog::CatalogState;
use crate::pace::Pace;
use crate::watch_channel;

/// Declarations told apart for one server. Clients that come with still others see what one sees that declares nothing.
const SHELVES_MAX: usize = 8;

/// What a server offers to clients of one kind.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) capabilities: Capabilities,
    pub(crate) catalog: watch_channel::Sender<CatalogState>,
    pub(crate) refreshing: AtomicBool,
    pub(crate) refresh_again: AtomicBool,
    /// Attempts to read it that failed since the last that did not.
    pub(crate) failures: AtomicU32,
    pub(crate) pace: Pace,
    pub(crate) woken: OnceLock<Instant>,
    /// The tick of its last use.
    used: AtomicU64,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Shelves {
    /// For clients that declare nothing, and for every client of a server of 2026-07-28.
    pub(crate) base: Arc<Shelf>,
    others: Mutex<HashMap<Capabilities, Arc<Shelf>>>,
    ticks: AtomicU64,
}

impl Shelf {
    pub(crate) fn new(capabilities: Capabilities, state: CatalogState) -> Arc<Self> {
        Arc::new(Self { capabilities, catalog: watch_channel::Sender::new(state), ..Self::default() })
    }
}

impl Shelves {
    pub(crate) fn new(base: CatalogState) -> Self {
        Self { base: Shelf::new(Capabilities::default(), base), others: Mutex::default(), ticks: AtomicU64::new(0) }
    }

    /// The shelf of `capabilities`, made with what `load` finds where there is none. When there are too many, the one
    /// unused for longest gives way unless it is `in_use`; when all are, it is the one of clients that declare nothing.
    pub(crate) fn of(
        &self,
        capabilities: &Capabilities,
        in_use: impl Fn(&Capabilities) -> bool,
        load: impl FnOnce() -> CatalogState,
    ) -> Arc<Shelf> {
        if capabilities.is_empty() {
            return Arc::clone(&self.base);
        }
        let now = self.ticks.fetch_add(1, Ordering::Relaxed);
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = others.get(capabilities) {
            shelf.used.store(now, Ordering::Relaxed);
            return Arc::clone(shelf);
        }
        if others.len() >= SHELVES_MAX {
            let free = others.values().filter(|s| Arc::strong_count(s) == 1 && !in_use(&s.capabilities));
            let Some(oldest) = free.min_by_key(|s| s.used.load(Ordering::Relaxed)) else {
                return Arc::clone(&self.base);
            };
            let oldest = oldest.capabilities.clone();
            others.remove(&oldest);
        }
        let shelf = Shelf::new(capabilities.clone(), load());
        shelf.used.store(now, Ordering::Relaxed);
        others.insert(capabilities.clone(), Arc::clone(&shelf));
        shelf
    }

    /// All of them, always in the same order: a simulated world of one seed goes one way.
    pub(crate) fn all(&self) -> Vec<Arc<Shelf>> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Arc<Shelf>> = std::iter::once(&self.base).chain(others.values()).cloned().collect();
        all.sort_by(|one, other| one.capabilities.text().cmp(other.capabilities.text()));
        all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::{SHELVES_MAX, Shelves};
    use crate::capabilities::Capabilities;
    use crate::catalog::CatalogState;

    fn client(number: usize) -> Capabilities {
        Capabilities::of(&format!(r#"{{"extensions":{{"x{number}":{{}}}}}}"#))
    }

    #[test]
    fn pool_1_they_are_bounded_and_those_in_use_stay() {
        let shelves = Shelves::new(CatalogState::default());
        let of = |number, in_use: bool| shelves.of(&client(number), |_| in_use, CatalogState::default);
        for number in 0..SHELVES_MAX {
            assert_eq!(of(number, false).capabilities, client(number));
        }
        let held = of(0, false);
        assert!(Arc::ptr_eq(&of(99, true), &shelves.base));
        assert_eq!(of(99, false).capabilities, client(99));
        assert_eq!(shelves.all().len(), SHELVES_MAX + 1);
        assert!(Arc::ptr_eq(&of(0, true), &held));
        assert!(Arc::ptr_eq(&of(1, true), &shelves.base), "the oldest that nobody holds gave way");
    }
}
