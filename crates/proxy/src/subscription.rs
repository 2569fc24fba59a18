//! A client's subscription to a resource of a server, on whatever link its calls run.

use std::sync::Arc;
use std::time::Duration;

use omni_protocol::Era;

use crate::error::LinkError;
use crate::feed::Feed;
use crate::link::Link;
use crate::profile::Profile;
use crate::server::Server;
use crate::subscriber::{SubscribeError, Subscriber};

/// For a server to say whether it carries a subscription.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
/// For a server to say that it heard of the end of one.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// A subscription; dropped, it is released.
#[derive(Debug)]
pub struct Subscription {
    server: Arc<Server>,
    feed: Arc<Feed>,
    uri: Arc<str>,
    id: u64,
    /// Whether the server is told at once when nobody wants it any more.
    is_legacy: bool,
}

impl Subscription {
    /// Waits until the server carries it, or does not.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn settled(&self) -> Result<(), SubscribeError> {
        let waiting = async {
            let mut changes = self.feed.changes();
            loop {
                changes.borrow_and_update();
                let latest = self.feed.latest();
                if !Arc::ptr_eq(&latest, &self.feed) {
                    changes = latest.changes();
                }
                if let Some(verdict) = self.feed.verdict(&self.uri) {
                    return verdict;
                }
                if changes.changed().await.is_err() {
                    return Err(SubscribeError::Link(LinkError::Stopped));
                }
            }
        };
        let late = LinkError::Timeout { seconds: SETTLE_LIMIT.as_secs() };
        tokio::time::timeout(SETTLE_LIMIT, waiting).await.unwrap_or(Err(SubscribeError::Link(late)))
    }

    /// Ends it, and waits for a while until the server has heard of that: what it says from then on it says to others. A
    /// server of 2026-07-28 hears of it with its next stream; until then it says what nobody is told.
    pub async fn release(self) {
        let (feed, uri, is_legacy) = (Arc::clone(&self.feed), Arc::clone(&self.uri), self.is_legacy);
        let mut changes = feed.changes();
        drop(self);
        let released =
            async { while is_legacy && !feed.latest().is_released(&uri) && changes.changed().await.is_ok() {} };
        let _released_or_late = tokio::time::timeout(RELEASE_LIMIT, released).await;
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// What the server calls the resource.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.remove(&self.uri, self.id);
    }
}

impl Server {
    /// Subscribes to `uri` on `link`, the one on which the calls of a client of `profile` run. All subscriptions on a link
    /// share what the server is told; whether the server carries this one, [`Subscription::settled`] says.
    ///
    /// # Errors
    /// When the server has no subscriptions, or too many of them.
    pub fn subscribe(
        self: &Arc<Self>,
        link: &Arc<Link>,
        profile: &Profile,
        uri: &str,
        subscriber: Arc<dyn Subscriber>,
    ) -> Result<Subscription, SubscribeError> {
        if !link.hello().offers_subscriptions() {
            return Err(SubscribeError::NotOffered);
        }
        let uri: Arc<str> = uri.into();
        let (feed, id) =
            self.with_feed(link, profile, |feed| feed.add(&uri, subscriber, profile).map(|id| (Arc::clone(feed), id)))?;
        self.keep(&feed, link);
        let is_legacy = link.version().era() == Era::Legacy;
        Ok(Subscription { server: Arc::clone(self), feed, uri, id, is_legacy })
    }

    /// How many of its resources are subscribed to.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.feeds().values().map(|feed| feed.wanted_count()).sum()
    }
}
