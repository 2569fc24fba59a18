//! Keeping a server's subscriptions in agreement with what clients want: one task a link, while there is something to keep.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use omni_protocol::Era;
use tokio::time::Instant;

use crate::end::End;
use crate::error::LinkError;
use crate::feed::Feed;
use crate::keep_legacy::keep_legacy;
use crate::keep_modern::keep_modern;
use crate::link::Link;
use crate::profile::{LinkKey, Profile};
use crate::server::Server;
use crate::subscriber::SubscribeError;

/// Between two attempts to take up what broke off.
pub(crate) const RETRY_FIRST: Duration = Duration::from_secs(1);
/// At most.
pub(crate) const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// What could be kept for less than this is taken up again later and later.
const STABLE_AFTER: Duration = Duration::from_secs(5);

impl Server {
    pub(crate) fn feeds(&self) -> MutexGuard<'_, HashMap<LinkKey, Arc<Feed>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The feed of `link`, made if there is none. It is not thrown away while `work` is at it.
    pub(crate) fn with_feed<T>(&self, link: &Link, profile: &Profile, work: impl FnOnce(&Arc<Feed>) -> T) -> T {
        let mut feeds = self.feeds();
        work(feeds.entry(link.key().clone()).or_insert_with(|| Feed::new(profile)))
    }

    /// The feed of `link`, if there is one.
    pub(crate) fn feed_of(&self, link: &Link) -> Option<Arc<Feed>> {
        self.feeds().get(link.key()).cloned()
    }

    /// Sees to it that a task keeps `feed`.
    pub(crate) fn keep(self: &Arc<Self>, feed: &Arc<Feed>, link: &Arc<Link>) {
        if feed.claim(link) {
            tokio::spawn(run(Arc::downgrade(self), Arc::clone(feed), Arc::downgrade(link)));
        }
    }

    /// Ends the keeping of `feed` if there is nothing to keep.
    fn let_go(&self, feed: &Arc<Feed>) -> bool {
        let mut feeds = self.feeds();
        let ended = feed.let_go();
        if ended {
            feeds.retain(|_, other| !Arc::ptr_eq(other, feed) || !feed.is_unused());
        }
        ended
    }

    /// `feed` goes on with `link`, which may have another key than the one before it. `false` when another feed has that
    /// link already, and took over.
    fn goes_on_with(&self, feed: &Arc<Feed>, link: &Link) -> bool {
        let mut feeds = self.feeds();
        match feeds.get(link.key()) {
            Some(other) if Arc::ptr_eq(other, feed) => return true,
            Some(other) => feed.move_to(other),
            None => {}
        }
        feeds.retain(|_, other| !Arc::ptr_eq(other, feed));
        if feeds.contains_key(link.key()) {
            return false;
        }
        feeds.insert(link.key().clone(), Arc::clone(feed));
        true
    }
}

async fn run(server: Weak<Server>, feed: Arc<Feed>, first: Weak<Link>) {
    let Some(mut stopping) = server.upgrade().map(|server| server.stopping.subscribe()) else { return };
    tokio::select! {
        biased;
        () = keep_on(&server, &feed, first.upgrade()) => return,
        // Stopped, or gone altogether.
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    feed.abandon(&SubscribeError::Link(LinkError::Stopped));
}

async fn keep_on(server: &Weak<Server>, feed: &Arc<Feed>, first: Option<Arc<Link>>) {
    let (mut link, mut pause, mut again) = (first, RETRY_FIRST, false);
    loop {
        let current = match link.take().filter(|link| link.is_alive()).or_else(|| feed.next_link()) {
            Some(current) => current,
            None => {
                let Some(strong) = server.upgrade() else { return };
                if strong.let_go(feed) {
                    return;
                }
                // Somebody still wants to hear, so the server is started or reached again without waiting for a call.
                match Box::pin(strong.link(&feed.profile())).await {
                    Ok(made) if strong.goes_on_with(feed, &made) => made,
                    Ok(made) => return strong.taken_over(&made),
                    Err(_) => {
                        drop(strong);
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(RETRY_LONGEST);
                        continue;
                    }
                }
            }
        };
        let began = Instant::now();
        let end = match current.version().era() {
            Era::Legacy => Box::pin(keep_legacy(server, feed, &current)).await,
            Era::Modern => Box::pin(keep_modern(server, feed, &current, again)).await,
        };
        current.watched(false);
        again = true;
        match end {
            End::Idle => {
                if let Some(next) = feed.next_link().filter(|next| !Arc::ptr_eq(next, &current)) {
                    link = Some(next);
                    continue;
                }
                if server.upgrade().is_none_or(|server| server.let_go(feed)) {
                    return;
                }
            }
            End::Gone | End::Renewed => {
                feed.forgotten();
                // However the end came about, and whatever link is there next: nothing is taken up twice in a row at once.
                if began.elapsed() >= STABLE_AFTER {
                    pause = RETRY_FIRST;
                } else if feed.wanted_count() > 0 {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_LONGEST);
                }
                if end == End::Gone {
                    continue;
                }
            }
            End::Broken { opened } => {
                feed.forgotten();
                // A stream that came about and ended is opened again at once-ish; one that did not, later and later.
                pause = if opened { RETRY_FIRST } else { (pause * 2).min(RETRY_LONGEST) };
                tokio::time::sleep(pause).await;
            }
            End::NotOffered => return feed.abandon(&SubscribeError::NotOffered),
        }
        link = Some(current);
    }
}

impl Server {
    /// The feed that has `link` already is kept with it.
    fn taken_over(self: &Arc<Self>, link: &Arc<Link>) {
        if let Some(feed) = self.feed_of(link) {
            self.keep(&feed, link);
        }
    }
}
