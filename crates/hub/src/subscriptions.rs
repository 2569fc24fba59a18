//! The resources that one client is subscribed to: a session, or one `subscriptions/listen`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use omni_protocol::{Splice, members};
use omni_proxy::{Profile, Subscription};
use omni_types::Principal;

use crate::access::Around;
use crate::outbox::Outbox;
use crate::scope::Scope;
use crate::snapshot::Snapshot;

/// Resources that one client may be subscribed to.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 4_096;
/// Bytes of a URI that is subscribed to.
pub(crate) const URI_BYTES_MAX: usize = 8 * 1024;

/// Who is told, and where.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) scope: Scope,
    pub(crate) principal: Principal,
    pub(crate) profile: Profile,
    pub(crate) around: Around,
    pub(crate) outbox: Arc<Outbox>,
}

/// One client's subscriptions, by the URIs under which it asked for them; dropped, they are released.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    by_uri: HashMap<Arc<str>, Subscription>,
    ended: bool,
}

impl Subscriptions {
    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client asked for `uri` before.
    pub(crate) fn has(&self, uri: &str) -> bool {
        self.lock().by_uri.contains_key(uri)
    }

    /// Whether there is room for one more.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().by_uri.len() < SUBSCRIPTIONS_MAX
    }

    /// Keeps a subscription that the server carries. After the client's end it is released at once.
    pub(crate) fn keep(&self, uri: Arc<str>, subscription: Subscription) {
        let mut held = self.lock();
        let released = if held.ended { Some(subscription) } else { held.by_uri.insert(uri, subscription) };
        drop(held);
        drop(released);
    }

    /// Takes one out: it is released when it is dropped.
    pub(crate) fn remove(&self, uri: &str) -> Option<Subscription> {
        self.lock().by_uri.remove(uri)
    }

    /// The client is gone.
    pub(crate) fn end(&self) {
        let released = {
            let mut held = self.lock();
            held.ended = true;
            std::mem::take(&mut held.by_uri)
        };
        drop(released);
    }

    /// The URIs whose servers are not those of the configuration in force.
    pub(crate) fn outdated(&self, snapshot: &Snapshot) -> Vec<Arc<str>> {
        let is_current = |subscription: &Subscription| {
            let server = subscription.server();
            snapshot.server(server.name().as_str()).is_some_and(|current| Arc::ptr_eq(current, server))
        };
        let held = self.lock();
        held.by_uri.iter().filter(|(_, held)| !is_current(held)).map(|(uri, _)| Arc::clone(uri)).collect()
    }
}

/// `params` with the URI that the client knows.
pub(crate) fn with_uri(params: &str, uri: &str, shown: &str) -> Option<String> {
    if uri == shown {
        return Some(params.to_owned());
    }
    let found = members(params).ok()?;
    let (_, value) = found.into_iter().find(|(key, _)| key == "uri")?;
    let start = value.get().as_ptr() as usize - params.as_ptr() as usize;
    let mut splice = Splice::new();
    splice.replace(start..start + value.get().len(), serde_json::Value::from(shown).to_string().into_bytes());
    String::from_utf8(splice.apply(params.as_bytes())).ok()
}
