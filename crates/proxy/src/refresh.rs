//! Asking a server for its catalogs, and telling what changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use omni_protocol::{ListKind, Version};
use tokio::time::Instant;

use crate::catalog::Catalog;
use crate::error::LinkError;
use crate::event::Event;
use crate::fetch::fetch;
use crate::link::Link;
use crate::profile::Profile;
use crate::server::Server;
use crate::shelf::Shelf;

/// Before lists that could not be read are asked for again; each time twice as long.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// How often; then it is left at what the next change or link brings.
const RETRIES_MAX: u32 = 7;
/// Between two readings of a server whose calls prove its lists stale again and again.
const REREAD_PAUSE: Duration = Duration::from_secs(1);

impl Server {
    /// Asks for the catalog that clients of `profile` are shown, if that was not done since the hub started; the time of
    /// the first such request. A server that is asleep is woken as by that client, so that the process which answers is
    /// the one that serves it next.
    pub fn wake(self: &Arc<Self>, profile: &Profile) -> Instant {
        let shelf = self.shelf(profile);
        if !shelf.catalog.borrow().fresh {
            self.refresh_shelf(&shelf, profile);
        }
        *shelf.woken.get_or_init(Instant::now)
    }

    /// Waits until it is known what clients of `profile` are shown, or why it is not, for `patience` from the time it was
    /// first asked. `true` when there was something to wait for.
    pub async fn settle(self: &Arc<Self>, profile: &Profile, patience: Duration) -> bool {
        let mut waited = false;
        loop {
            let woken = self.wake(profile);
            // Which shelf it is may turn out while waiting: not before the server has said which era it speaks.
            let mut catalog = self.shelf(profile).catalog.subscribe();
            if catalog.borrow_and_update().is_settled() {
                return waited;
            }
            waited = true;
            let deadline = woken + patience;
            if !matches!(tokio::time::timeout_at(deadline, catalog.changed()).await, Ok(Ok(()))) {
                return true;
            }
        }
    }

    /// Asks the server again for everything that it was asked for before, in the background.
    pub fn refresh(self: &Arc<Self>) {
        for shelf in self.shelves.all() {
            // What is just being read for the first time may have changed behind the reader.
            let asked = shelf.catalog.borrow().is_asked() || shelf.refreshing.load(Ordering::Acquire);
            if asked {
                // What depends on what a client declares is offered in the earlier revisions alone: a server of both eras
                // that is asked in 2026-07-28 says what is on the other shelf.
                let is_base = Arc::ptr_eq(&shelf, &self.shelves.base);
                let version = if is_base { Version::LATEST } else { Version::LATEST_LEGACY };
                self.refresh_shelf(&shelf, &Profile::new(version, shelf.capabilities.clone()));
            }
        }
    }

    /// Reads the lists of the server behind `link` at once, because a call proved them stale. `true` when they were read, now
    /// or just before.
    pub async fn read_anew(self: &Arc<Self>, link: &Arc<Link>) -> bool {
        // One caller reads, the others wait for it. Nothing else is done under this lock.
        let mut last = self.reread.lock().await;
        if last.is_some_and(|last| last.elapsed() < REREAD_PAUSE) {
            return true;
        }
        let reading = tokio::time::timeout(link.timeout(), fetch(self, link)).await;
        let Ok(Ok(catalog)) = reading else { return false };
        self.publish(&self.shelf_of(link), catalog).await;
        *last = Some(Instant::now());
        true
    }

    /// A link was made: what is offered on it goes to its shelf.
    pub(crate) fn refresh_link(self: &Arc<Self>, link: &Link) {
        let shelf = self.shelf_of(link);
        self.refresh_shelf(&shelf, &Profile::new(link.version(), shelf.capabilities.clone()));
    }

    /// Requests that come while the server is being asked are answered by one more round.
    fn refresh_shelf(self: &Arc<Self>, shelf: &Arc<Shelf>, profile: &Profile) {
        shelf.refresh_again.store(true, Ordering::Release);
        if shelf.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (server, shelf, profile) = (Arc::clone(self), Arc::clone(shelf), profile.clone());
        tokio::spawn(async move {
            while shelf.refresh_again.swap(false, Ordering::AcqRel) && !server.is_stopped() {
                tokio::time::sleep(shelf.pace.next()).await;
                server.refresh_once(&shelf, &profile).await;
            }
            shelf.refreshing.store(false, Ordering::Release);
            // A request that came between the last look and the line above would be lost.
            if shelf.refresh_again.load(Ordering::Acquire) && !server.is_stopped() {
                server.refresh_shelf(&shelf, &profile);
            }
        });
    }

    async fn refresh_once(self: &Arc<Self>, shelf: &Arc<Shelf>, profile: &Profile) {
        let link = match self.shared_link(&shelf.capabilities) {
            Some(link) => Ok(link),
            // Connecting asks for the catalog itself, once the link is there; this round is that one.
            None => self.link(&Profile { session: None, ..profile.clone() }).await,
        };
        if let Ok(link) = &link {
            let there = self.shelf_of(link);
            if !Arc::ptr_eq(&there, shelf) {
                // It speaks another era than was thought: who waits here has to look there.
                if !there.catalog.borrow().fresh {
                    self.refresh_link(link);
                }
                self.look_elsewhere(shelf);
                return;
            }
        }
        shelf.refresh_again.store(false, Ordering::Release);
        let outcome = match &link {
            Ok(link) => fetch(self, link).await,
            Err(error) => Err(error.clone()),
        };
        match outcome {
            Ok(catalog) => self.publish(shelf, catalog).await,
            // It is met anew, and so is what it offers: the server is not the one that refused.
            Err(LinkError::SessionLost) if link.is_ok_and(|link| !self.holds(&link)) => {
                shelf.refresh_again.store(true, Ordering::Release);
            }
            Err(error) => {
                tracing::warn!(server = %self.spec.name, %error, "the lists cannot be read");
                self.unreadable(shelf, &error);
                self.try_again(shelf, profile);
            }
        }
    }

    /// It turned out that what `shelf` said was no word of this server's. Who waits there looks again; who was shown it already
    /// is told.
    fn look_elsewhere(&self, shelf: &Shelf) {
        let was_shown = shelf.catalog.borrow().is_settled();
        shelf.catalog.send_modify(|_| ());
        self.changes.fetch_add(1, Ordering::AcqRel);
        for kind in ListKind::ALL.iter().filter(|kind| was_shown && **kind != ListKind::Templates) {
            self.say(Event::ListChanged { server: self.spec.name.clone(), kind: *kind });
        }
    }

    /// What was read before is offered still, and may be wrong: a server at an address is asked again, later and later. A
    /// process that is started anew is asked then.
    fn try_again(self: &Arc<Self>, shelf: &Arc<Shelf>, profile: &Profile) {
        if self.client.is_none() {
            return;
        }
        let failures = shelf.failures.fetch_add(1, Ordering::Relaxed);
        if failures >= RETRIES_MAX {
            return;
        }
        let (server, shelf, profile) = (Arc::downgrade(self), Arc::clone(shelf), profile.clone());
        tokio::spawn(async move {
            tokio::time::sleep(RETRY_FIRST * 2_u32.pow(failures)).await;
            if let Some(server) = server.upgrade().filter(|_| shelf.failures.load(Ordering::Relaxed) > 0) {
                server.refresh_shelf(&shelf, &profile);
            }
        });
    }

    /// The lists could not be read; what was known of them is kept.
    pub(crate) fn unreadable(&self, shelf: &Shelf, error: &LinkError) {
        shelf.catalog.send_modify(|state| {
            state.generation += u64::from(state.error.as_ref() != Some(error));
            state.error = Some(error.clone());
        });
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    async fn publish(self: &Arc<Self>, shelf: &Shelf, catalog: Catalog) {
        let catalog = Arc::new(catalog);
        shelf.failures.store(0, Ordering::Relaxed);
        let mut changed = Vec::new();
        shelf.catalog.send_modify(|state| {
            changed = match &state.catalog {
                Some(old) => catalog.differs_from(old),
                None => ListKind::ALL.to_vec(),
            };
            state.generation += u64::from(!changed.is_empty() || state.error.is_some());
            state.catalog = Some(Arc::clone(&catalog));
            state.fresh = true;
            state.error = None;
        });
        self.changes.fetch_add(1, Ordering::AcqRel);
        for kind in changed.iter().filter(|k| **k != ListKind::Templates) {
            self.say(Event::ListChanged { server: self.spec.name.clone(), kind: *kind });
        }
        if changed.contains(&ListKind::Templates) && !changed.contains(&ListKind::Resources) {
            self.say(Event::ListChanged { server: self.spec.name.clone(), kind: ListKind::Resources });
        }
        if let Some(store) = self.store.clone().filter(|_| !changed.is_empty()) {
            let (spec, capabilities) = (self.spec.clone(), shelf.capabilities.clone());
            let _saved = tokio::task::spawn_blocking(move || store.save(&spec, &capabilities, &catalog)).await;
        }
    }
}
