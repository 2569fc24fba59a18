//! An open `subscriptions/listen`: its stream, and the table of all of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use omni_auth::Identified;
use omni_protocol::{ListKind, meta_keys, notification, response};
use omni_types::ServerName;

use crate::calls::Booked;
use crate::stage::{Channel, Received};
use crate::subscriptions::{Reader, Subscriptions};

/// One that is open, as those see it who have something to tell.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) reader: Reader,
    pub(crate) subscriptions: Subscriptions,
    kinds: Vec<ListKind>,
}

/// All that are open.
#[derive(Debug, Default)]
pub(crate) struct Listenings {
    all: Mutex<BTreeMap<u64, Arc<Listening>>>,
    next: AtomicU64,
}

/// A place in the table; it is left when this is dropped.
#[derive(Debug)]
struct Place {
    table: Arc<Listenings>,
    number: u64,
    listening: Arc<Listening>,
}

/// An open subscription, on its way to its client.
#[derive(Debug)]
pub struct ListenStream {
    id: String,
    place: Place,
    channel: Channel,
    /// The acknowledgment at first, at the end what ends it.
    ready: VecDeque<Bytes>,
    booked: Option<Booked>,
    /// On whose account it is open.
    sender: Identified,
    ended: bool,
}

impl Listenings {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Listening>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All at this moment.
    pub(crate) fn all(&self) -> Vec<Arc<Listening>> {
        self.lock().values().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// A list of a server changed.
    pub(crate) fn changed(&self, server: &ServerName, kind: ListKind) {
        for listening in self.all().iter().filter(|listening| listening.reader.scope.shows(server)) {
            listening.changed(kind);
        }
    }
}

impl Listening {
    /// A list changed, which the client asked to hear of or not.
    pub(crate) fn changed(&self, kind: ListKind) {
        if self.kinds.contains(&kind) {
            self.reader.outbox.changed(kind);
        }
    }

    /// Every list that the client asked for may have changed.
    pub(crate) fn everything_changed(&self) {
        self.kinds.iter().for_each(|kind| self.reader.outbox.changed(*kind));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().remove(&self.number);
        self.listening.subscriptions.end();
    }
}

impl ListenStream {
    /// Opens it: from now on it hears of changes of `kinds`. `None` when there are `max` already.
    pub(crate) fn open(
        table: &Arc<Listenings>,
        max: usize,
        reader: Reader,
        kinds: Vec<ListKind>,
        (id, received, booked): (&str, &Received, Option<Booked>),
    ) -> Option<Self> {
        let listening = Arc::new(Listening { reader, subscriptions: Subscriptions::default(), kinds });
        let number = table.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut all = table.lock();
            if all.len() >= max {
                return None;
            }
            all.insert(number, Arc::clone(&listening));
        }
        let place = Place { table: Arc::clone(table), number, listening };
        let (channel, sender) = (received.channel, received.sender.clone());
        Some(Self { id: id.to_owned(), place, channel, ready: VecDeque::new(), booked, sender, ended: false })
    }

    pub(crate) fn listening(&self) -> &Arc<Listening> {
        &self.place.listening
    }

    /// Whether the client cancelled it.
    pub(crate) async fn cancelled(&self) {
        match &self.booked {
            Some(booked) => booked.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Says what is honoured: the first message of the stream. `honoured` is JSON text.
    pub(crate) fn acknowledge(&mut self, honoured: &str) {
        let params = format!(r#"{{"_meta":{},"notifications":{honoured}}}"#, self.meta());
        let acknowledged = notification("notifications/subscriptions/acknowledged", Some(&params)).into();
        self.ready.push_front(acknowledged);
    }

    /// JSON text of the id of the request that opened it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The next message; `None` after the last.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(message) = self.ready.pop_front() {
            return Some(message);
        }
        if self.ended {
            return None;
        }
        let next = tokio::select! {
            biased;
            () = self.cancelled() => {
                // Nothing more is said about what was cancelled.
                self.ended = true;
                return None;
            }
            _ = self.sender.ended() => None,
            next = self.place.listening.reader.outbox.next() => next,
        };
        Some(next.unwrap_or_else(|| self.close()))
    }

    /// The answer that ends it in good order (subscriptions of 2026-07-28, "Graceful Closure"). On stdio the specification
    /// also wants a cancellation (its section "Cancellation"), which [`ListenStream::next`] gives then.
    pub fn close(&mut self) -> Bytes {
        self.ended = true;
        if self.channel != Channel::Http {
            let params = format!(r#"{{"requestId":{},"_meta":{}}}"#, self.id, self.meta());
            self.ready.push_back(notification("notifications/cancelled", Some(&params)).into());
        }
        response(&self.id, &format!(r#"{{"resultType":"complete","_meta":{}}}"#, self.meta())).into()
    }

    fn meta(&self) -> String {
        format!(r#"{{"{}":{}}}"#, meta_keys::SUBSCRIPTION_ID, self.id)
    }
}
