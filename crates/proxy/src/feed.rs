//! Which resources of one link are subscribed to, by how many, and what the server was told of that.
//!
//! A feed is only the books: `keep_legacy.rs` and `keep_modern.rs` make the server agree with them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::link::Link;
use crate::profile::Profile;
use crate::subscriber::{SubscribeError, Subscriber, Update};
use crate::watch_channel;

/// Resources of one link that may be subscribed to.
pub(crate) const URIS_MAX: usize = 16_384;
/// Subscriptions to them.
const SUBSCRIBERS_MAX: usize = 131_072;

/// Numbers of subscribers, never given twice, so that those of two feeds may meet in one.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// The subscriptions to resources that share one link.
#[derive(Debug)]
pub(crate) struct Feed {
    books: Mutex<Books>,
    /// Counted up whenever something is wanted, or was done.
    changed: watch_channel::Sender<u64>,
}

#[derive(Debug)]
struct Books {
    /// For whom a link is made when there is none any more.
    profile: Profile,
    uris: HashMap<Arc<str>, Entry>,
    subscribers: usize,
    /// Whether a task keeps the server in agreement.
    kept: bool,
    /// A link that was made while that task still looked at another one.
    next_link: Option<Weak<Link>>,
    /// The feed that took over, where two turned out to share a link.
    moved_to: Option<Arc<Feed>>,
}

#[derive(Debug)]
struct Entry {
    subscribers: Vec<(u64, Arc<dyn Subscriber>)>,
    phase: Phase,
    /// Whether it was held before, on a link or session that is gone: something may have been missed since.
    missed: bool,
}

/// What the server knows of a URI.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Wanted,
    Asking,
    Held,
    Releasing,
    Refused(SubscribeError),
}

/// Something to be asked of a server of the legacy era.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Subscribe(Arc<str>),
    Unsubscribe(Arc<str>),
}

/// What a stream of 2026-07-28 lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Difference {
    /// A URI is wanted that it does not carry.
    pub(crate) lacks: bool,
    /// It carries one that nobody wants any more.
    pub(crate) exceeds: bool,
}

impl Entry {
    fn new() -> Self {
        Self { subscribers: Vec::new(), phase: Phase::Wanted, missed: false }
    }

    /// Whether there is nothing left to remember.
    fn is_over(&self) -> bool {
        self.subscribers.is_empty() && matches!(self.phase, Phase::Wanted | Phase::Refused(_))
    }
}

impl Feed {
    pub(crate) fn new(profile: &Profile) -> Arc<Self> {
        let books = Books {
            profile: profile.clone(),
            uris: HashMap::new(),
            subscribers: 0,
            kept: false,
            next_link: None,
            moved_to: None,
        };
        Arc::new(Self { books: Mutex::new(books), changed: watch_channel::Sender::new(0) })
    }

    /// For whom a link is made when there is none any more: whoever came last.
    pub(crate) fn profile(&self) -> Profile {
        self.lock().profile.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The feed in which this one's subscriptions are now.
    pub(crate) fn latest(self: &Arc<Self>) -> Arc<Self> {
        let mut latest = Arc::clone(self);
        loop {
            let next = latest.lock().moved_to.clone();
            match next {
                Some(next) => latest = next,
                None => return latest,
            }
        }
    }

    /// Tells of every change of what is wanted or held.
    pub(crate) fn changes(&self) -> watch_channel::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Adds a subscriber; its number.
    pub(crate) fn add(
        &self,
        uri: &Arc<str>,
        subscriber: Arc<dyn Subscriber>,
        profile: &Profile,
    ) -> Result<u64, SubscribeError> {
        let mut books = self.lock();
        if let Some(next) = books.moved_to.clone() {
            drop(books);
            return next.add(uri, subscriber, profile);
        }
        let is_new = !books.uris.contains_key(uri);
        if books.subscribers >= SUBSCRIBERS_MAX || (is_new && books.uris.len() >= URIS_MAX) {
            return Err(SubscribeError::TooMany);
        }
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        books.subscribers += 1;
        books.profile = profile.clone();
        let entry = books.uris.entry(Arc::clone(uri)).or_insert_with(Entry::new);
        entry.subscribers.push((id, subscriber));
        if matches!(entry.phase, Phase::Refused(_)) {
            // Whoever comes later asks again: the server may have thought better of it.
            entry.phase = Phase::Wanted;
        }
        drop(books);
        self.note();
        Ok(id)
    }

    /// Takes a subscriber out.
    pub(crate) fn remove(&self, uri: &str, id: u64) {
        let mut books = self.lock();
        if let Some(next) = books.moved_to.clone() {
            drop(books);
            return next.remove(uri, id);
        }
        let Some(entry) = books.uris.get_mut(uri) else { return };
        let before = entry.subscribers.len();
        entry.subscribers.retain(|(other, _)| *other != id);
        let gone = before - entry.subscribers.len();
        let over = entry.is_over();
        books.subscribers -= gone;
        if over {
            books.uris.remove(uri);
        }
        drop(books);
        self.note();
    }

    /// Whether the server carries `uri` by now; `None` while that is open.
    pub(crate) fn verdict(&self, uri: &str) -> Option<Result<(), SubscribeError>> {
        let books = self.lock();
        if let Some(next) = books.moved_to.clone() {
            drop(books);
            return next.verdict(uri);
        }
        match books.uris.get(uri).map(|entry| &entry.phase) {
            Some(Phase::Held) => Some(Ok(())),
            Some(Phase::Refused(why)) => Some(Err(why.clone())),
            Some(_) => None,
            None => Some(Err(SubscribeError::NotHonoured)),
        }
    }

    /// Whether the server has heard that nobody wants `uri` any more, or somebody does.
    pub(crate) fn is_released(&self, uri: &str) -> bool {
        self.lock().uris.get(uri).is_none_or(|entry| !entry.subscribers.is_empty())
    }

    /// How many URIs somebody wants to hear of.
    pub(crate) fn wanted_count(&self) -> usize {
        self.lock().uris.values().filter(|entry| !entry.subscribers.is_empty()).count()
    }

    /// Whether nobody wants anything, and the server has nothing left to be told.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().uris.is_empty()
    }

    /// The next thing to ask of a server of the legacy era; it is noted as being asked.
    pub(crate) fn next_ask(&self) -> Option<Ask> {
        let mut books = self.lock();
        books.uris.iter_mut().find_map(|(uri, entry)| match (&entry.phase, entry.subscribers.is_empty()) {
            (Phase::Wanted, false) => {
                entry.phase = Phase::Asking;
                Some(Ask::Subscribe(Arc::clone(uri)))
            }
            (Phase::Held, true) => {
                entry.phase = Phase::Releasing;
                Some(Ask::Unsubscribe(Arc::clone(uri)))
            }
            _ => None,
        })
    }

    /// What became of it. A failure to release is none: the server ended the session, or will.
    pub(crate) fn asked(&self, ask: &Ask, outcome: Result<(), SubscribeError>) {
        let (uri, phase) = match (ask, outcome) {
            (Ask::Subscribe(uri), Ok(())) => (uri, Phase::Held),
            (Ask::Subscribe(uri), Err(why)) => (uri, Phase::Refused(why)),
            (Ask::Unsubscribe(uri), _) => (uri, Phase::Wanted),
        };
        self.settle([(Arc::clone(uri), phase)]);
    }

    /// What a stream of 2026-07-28 lacks, or carries in vain.
    pub(crate) fn difference(&self) -> Difference {
        let mut found = Difference { lacks: false, exceeds: false };
        for entry in self.lock().uris.values() {
            found.lacks |= entry.phase == Phase::Wanted && !entry.subscribers.is_empty();
            found.exceeds |= entry.phase == Phase::Held && entry.subscribers.is_empty();
        }
        found
    }

    /// The URIs for the next stream, in order; they are noted as being asked for.
    pub(crate) fn next_filter(&self) -> Vec<Arc<str>> {
        let mut books = self.lock();
        let mut uris = Vec::new();
        for (uri, entry) in &mut books.uris {
            if entry.subscribers.is_empty() || matches!(entry.phase, Phase::Refused(_)) {
                continue;
            }
            if entry.phase == Phase::Wanted {
                entry.phase = Phase::Asking;
            }
            uris.push(Arc::clone(uri));
        }
        uris.sort_unstable();
        uris
    }

    /// The server took over the stream of `filter`, and carries those of its URIs that it `honours`.
    pub(crate) fn carried(&self, filter: &[Arc<str>], honours: impl Fn(&str) -> bool) {
        let outcome =
            |uri: &Arc<str>| if honours(uri) { Phase::Held } else { Phase::Refused(SubscribeError::NotHonoured) };
        self.settle(filter.iter().map(|uri| (Arc::clone(uri), outcome(uri))));
        // What the stream before carried and this one does not is released with it.
        let released =
            |uri: &Arc<str>, entry: &mut Entry| entry.subscribers.is_empty() && filter.binary_search(uri).is_err();
        self.lock().uris.retain(|uri, entry| !released(uri, entry));
        self.note();
    }

    /// The server refused the stream: what was asked for is refused, what another stream carries is not.
    pub(crate) fn refused(&self, why: &SubscribeError) {
        let mut books = self.lock();
        for entry in books.uris.values_mut().filter(|entry| entry.phase == Phase::Asking) {
            entry.phase = Phase::Refused(why.clone());
        }
        books.uris.retain(|_, entry| !entry.is_over());
        drop(books);
        self.note();
    }

    fn settle(&self, outcomes: impl IntoIterator<Item = (Arc<str>, Phase)>) {
        let mut missed = Vec::new();
        {
            let mut books = self.lock();
            for (uri, phase) in outcomes {
                let Some(entry) = books.uris.get_mut(&uri) else { continue };
                if let Phase::Refused(why) = &phase
                    && entry.missed
                {
                    tracing::warn!(%uri, %why, "a subscription could not be taken up again");
                }
                entry.phase = phase;
                if entry.phase == Phase::Held && std::mem::take(&mut entry.missed) {
                    missed.extend(entry.subscribers.iter().map(|(_, s)| (Arc::clone(&uri), Arc::clone(s))));
                }
                if entry.is_over() {
                    books.uris.remove(&uri);
                }
            }
        }
        self.note();
        // Nobody knows what happened in between, so everybody reads again.
        for (uri, subscriber) in missed {
            subscriber.updated(&Update { subscribed: &uri, uri: &uri, params: None });
        }
    }

    /// The link or the session is made anew: the server has forgotten everything.
    pub(crate) fn forgotten(&self) {
        let mut books = self.lock();
        for entry in books.uris.values_mut() {
            entry.missed |= entry.phase == Phase::Held && !entry.subscribers.is_empty();
            entry.phase = Phase::Wanted;
        }
        books.uris.retain(|_, entry| !entry.is_over());
        drop(books);
        self.note();
    }

    /// The stream that carried them ended while the next one is being opened.
    pub(crate) fn lost(&self) {
        for entry in self.lock().uris.values_mut().filter(|entry| entry.phase == Phase::Held) {
            entry.missed |= !entry.subscribers.is_empty();
            entry.phase = Phase::Asking;
        }
    }

    /// Something was lost on the way: everybody reads again.
    pub(crate) fn tell_all(&self) {
        let all: Vec<_> = {
            let books = self.lock();
            let held = books.uris.iter().filter(|(_, entry)| entry.phase == Phase::Held);
            held.flat_map(|(uri, entry)| entry.subscribers.iter().map(|(_, s)| (Arc::clone(uri), Arc::clone(s))))
                .collect()
        };
        for (uri, subscriber) in all {
            subscriber.updated(&Update { subscribed: &uri, uri: &uri, params: None });
        }
    }

    /// Tells those who subscribed to `uri`, or to something that it is a part of; `false` when nobody did, and the server was
    /// not asked for it either, as it is while it has not heard yet that nobody wants it any more.
    ///
    /// A server may say that a part of what was subscribed to changed (schema of 2026-07-28,
    /// `ResourceUpdatedNotificationParams`).
    pub(crate) fn tell(&self, uri: &str, params: Option<&str>) -> bool {
        let is_known;
        let told: Vec<_> = {
            let books = self.lock();
            if let Some(next) = books.moved_to.clone() {
                drop(books);
                return next.tell(uri, params);
            }
            let of = |(held, entry): (&Arc<str>, &Entry)| -> Vec<_> {
                entry.subscribers.iter().map(|(_, s)| (Arc::clone(held), Arc::clone(s))).collect()
            };
            is_known = books.uris.contains_key(uri);
            let mut told: Vec<_> = books.uris.get_key_value(uri).map(of).unwrap_or_default();
            // Each place where a name ends: as many looks as the URI has parts, however many are subscribed to.
            for (at, _) in uri.char_indices().filter(|(_, c)| matches!(c, '/' | '?' | '#')) {
                for whole in [&uri[..at], &uri[..=at]].into_iter().filter(|whole| whole.len() < uri.len()) {
                    told.extend(books.uris.get_key_value(whole).map(of).unwrap_or_default());
                }
            }
            told
        };
        for (subscribed, subscriber) in &told {
            subscriber.updated(&Update { subscribed, uri, params });
        }
        is_known || !told.is_empty()
    }

    /// `true` when whoever asks has to keep the server in agreement from now on; otherwise somebody does, and hears of
    /// the link.
    pub(crate) fn claim(&self, link: &Arc<Link>) -> bool {
        let mut books = self.lock();
        if books.kept {
            books.next_link = Some(Arc::downgrade(link));
            return false;
        }
        books.kept = true;
        true
    }

    /// The link that was made in the meantime, if it still lives.
    pub(crate) fn next_link(&self) -> Option<Arc<Link>> {
        self.lock().next_link.take()?.upgrade().filter(|link| link.is_alive())
    }

    /// Ends the keeping, unless somebody wants something, or another link was made; `true` when it is ended.
    pub(crate) fn let_go(&self) -> bool {
        let mut books = self.lock();
        let has_link = books.next_link.as_ref().is_some_and(|link| link.strong_count() > 0);
        if books.uris.is_empty() && !has_link {
            books.kept = false;
        }
        !books.kept
    }

    /// Ends the keeping, whatever is wanted: the server is stopped, or offers nothing.
    pub(crate) fn abandon(&self, why: &SubscribeError) {
        let mut books = self.lock();
        for entry in books.uris.values_mut() {
            entry.phase = Phase::Refused(why.clone());
        }
        books.uris.retain(|_, entry| !entry.is_over());
        books.kept = false;
        drop(books);
        self.note();
    }

    /// Whether it may be thrown away.
    pub(crate) fn is_unused(&self) -> bool {
        let books = self.lock();
        !books.kept && books.uris.is_empty()
    }

    /// Hands everything over to `next`, which has the same link.
    pub(crate) fn move_to(&self, next: &Arc<Self>) {
        let mut books = self.lock();
        let mut there = next.lock();
        for (uri, entry) in books.uris.drain() {
            let target = there.uris.entry(uri).or_insert_with(Entry::new);
            target.missed |= entry.missed;
            target.subscribers.extend(entry.subscribers);
        }
        there.subscribers += std::mem::take(&mut books.subscribers);
        books.moved_to = Some(Arc::clone(next));
        drop((books, there));
        self.note();
        next.note();
    }
}
