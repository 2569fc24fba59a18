//! Asking a server for its catalog, and telling what changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use omni_protocol::{ListKind, Version};

use crate::catalog::Catalog;
use crate::event::Event;
use crate::fetch::fetch;
use crate::profile::Profile;
use crate::server::Server;

impl Server {
    /// Asks for the catalog if that was not done since the hub started; the time of the first such request.
    pub fn wake(self: &Arc<Self>, version: Version) -> std::time::Instant {
        if !self.catalog.borrow().fresh {
            self.refresh_as(version);
        }
        *self.woken.get_or_init(std::time::Instant::now)
    }

    /// Asks the server for everything it offers, in the background. Requests that come while it is being asked are
    /// answered by one more round.
    pub fn refresh(self: &Arc<Self>) {
        self.refresh_as(Version::LATEST);
    }

    /// As [`Server::refresh`]; a server that is asleep is woken as by a client of `version`, so that the process which
    /// answers is the one that serves that client next.
    pub fn refresh_as(self: &Arc<Self>, version: Version) {
        self.refresh_again.store(true, Ordering::Release);
        if self.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let server = Arc::clone(self);
        tokio::spawn(async move {
            while server.refresh_again.swap(false, Ordering::AcqRel) && !server.is_stopped() {
                tokio::time::sleep(server.pace.next()).await;
                server.refresh_once(version).await;
            }
            server.refreshing.store(false, Ordering::Release);
            // A request that came between the last look and the line above would be lost.
            if server.refresh_again.load(Ordering::Acquire) && !server.is_stopped() {
                server.refresh_as(version);
            }
        });
    }

    async fn refresh_once(self: &Arc<Self>, version: Version) {
        let link = match self.shared_link() {
            Some(link) => Ok(link),
            // Connecting asks for the catalog itself, once the link is there; this round is that one.
            None => self.link(&Profile::hub(version)).await,
        };
        self.refresh_again.store(false, Ordering::Release);
        let outcome = match &link {
            Ok(link) => fetch(link).await,
            Err(error) => Err(error.clone()),
        };
        match outcome {
            Ok(catalog) => self.publish(catalog).await,
            Err(error) => {
                tracing::warn!(server = %self.spec.name, %error, "the lists cannot be read");
                self.catalog.send_modify(|state| {
                    state.generation += u64::from(state.error.as_ref() != Some(&error));
                    state.error = Some(error);
                });
                self.changes.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    async fn publish(self: &Arc<Self>, catalog: Catalog) {
        let catalog = Arc::new(catalog);
        let mut changed = Vec::new();
        self.catalog.send_modify(|state| {
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
            let spec = self.spec.clone();
            let _saved = tokio::task::spawn_blocking(move || store.save(&spec, &catalog)).await;
        }
    }
}
