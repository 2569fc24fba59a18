//! One `subscriptions/listen` to a server of 2026-07-28 for all its clients: lists, and the resources they subscribed to.
//!
//! A stream's filter cannot be changed. The next one is opened beside it, and for a moment both are read: what both tell
//! is told once, what only one of them tells is told too.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use omni_protocol::{Message, MessageKind, Method};
use tokio::time::Instant;

use crate::end::End;
use crate::event::Event;
use crate::feed::Feed;
use crate::link::Link;
use crate::listen::{Listen, ListenError, Opened, open};
use crate::server::Server;
use crate::subscriber::SubscribeError;
use crate::update::updated;
use crate::watch_channel;

/// For which the stream before is still read beside the next one. No further one is opened meanwhile, so this bounds how
/// often a server is asked, however many clients come and go.
const OVERLAP: Duration = Duration::from_millis(500);
/// For which a stream may carry URIs that nobody wants any more.
const LINGER: Duration = Duration::from_secs(5);
/// URIs updated during one overlap that are counted; of further ones something may be told twice.
const TALLY_MAX: usize = 4_096;

type Opening = Pin<Box<dyn Future<Output = Result<Opened, ListenError>> + Send>>;

struct Keeper<'a> {
    server: &'a Weak<Server>,
    feed: &'a Arc<Feed>,
    link: &'a Arc<Link>,
    current: Option<Listen>,
    old: Option<(Listen, Instant)>,
    opening: Option<(Opening, Vec<Arc<str>>)>,
    tally: HashMap<Box<str>, Tally>,
    exceeds_since: Option<Instant>,
    /// Whether something may have been missed before the stream that is being opened.
    again: bool,
}

/// How often each stream told of one URI during an overlap, and how often that was told on.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    old: u32,
    new: u32,
    told: u32,
    /// Whether the new stream told of something that was taken for what the old one had told before.
    doubtful: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Old,
    New,
}

enum Heard {
    Message(Side, Message),
    Ended(Side),
    Opened(Result<Opened, ListenError>),
    /// The link was let go: over HTTP no stream ends with it.
    Left,
    Look,
}

/// Keeps one stream open. `again` says that there was one before, and what came in between is unknown.
pub(crate) async fn keep_modern(server: &Weak<Server>, feed: &Arc<Feed>, link: &Arc<Link>, again: bool) -> End {
    let mut keeper = Keeper {
        server,
        feed,
        link,
        current: None,
        old: None,
        opening: None,
        tally: HashMap::new(),
        exceeds_since: None,
        again,
    };
    let mut changes = feed.changes();
    loop {
        changes.borrow_and_update();
        link.watched(feed.wanted_count() > 0);
        keeper.begin();
        let end = match keeper.next(&mut changes).await {
            Heard::Message(side, message) => {
                keeper.hear(side, message);
                None
            }
            Heard::Ended(side) => keeper.ended(side),
            Heard::Opened(opened) => keeper.opened(opened),
            Heard::Left => return End::Gone,
            Heard::Look => None,
        };
        if let Some(end) = end {
            return if link.is_alive() { end } else { End::Gone };
        }
    }
}

async fn message_of(listen: Option<&mut Listen>) -> Option<Message> {
    match listen {
        Some(listen) => listen.next().await.ok().filter(|message| message.kind() != MessageKind::Response),
        None => std::future::pending().await,
    }
}

impl Keeper<'_> {
    /// Begins to open the next stream, if that is called for.
    fn begin(&mut self) {
        if self.opening.is_some() || self.old.as_ref().is_some_and(|(_, until)| *until > Instant::now()) {
            return;
        }
        self.old = None;
        let difference = self.feed.difference();
        if !difference.exceeds {
            self.exceeds_since = None;
        }
        let lingers = |since: Instant| since.elapsed() < LINGER;
        let exceeds = difference.exceeds && !lingers(*self.exceeds_since.get_or_insert_with(Instant::now));
        if self.current.is_some() && !difference.lacks && !exceeds {
            return;
        }
        self.exceeds_since = None;
        self.tally.clear();
        let filter = self.feed.next_filter();
        self.opening = Some((Box::pin(open(Arc::clone(self.link), filter.clone())), filter));
    }

    async fn next(&mut self, changes: &mut watch_channel::Receiver<u64>) -> Heard {
        let Self { current, old, opening, exceeds_since, link, .. } = self;
        let overlap = old.as_ref().map(|(_, until)| *until);
        let look = overlap.into_iter().chain(exceeds_since.map(|since| since + LINGER)).min();
        let looking = async {
            match look {
                Some(look) => tokio::time::sleep_until(look).await,
                None => std::future::pending().await,
            }
        };
        let open = async {
            match opening {
                Some((opening, _)) => opening.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Messages last: what comes without end keeps nothing else from being seen.
            biased;
            () = link.ended() => Heard::Left,
            opened = open => Heard::Opened(opened),
            _ = changes.changed() => Heard::Look,
            () = looking => Heard::Look,
            message = message_of(old.as_mut().map(|(listen, _)| listen)) => match message {
                Some(message) => Heard::Message(Side::Old, message),
                None => Heard::Ended(Side::Old),
            },
            // What was the current stream when an overlap began is the old one from then on.
            message = message_of(current.as_mut()) => match message {
                Some(message) => Heard::Message(if opening.is_some() { Side::Old } else { Side::New }, message),
                None => Heard::Ended(Side::New),
            },
        }
    }

    fn opened(&mut self, opened: Result<Opened, ListenError>) -> Option<End> {
        let (_, filter) = self.opening.take()?;
        match opened {
            Ok(Opened { listen, carries }) => {
                let before = self.current.replace(listen);
                self.old = before.map(|listen| (listen, Instant::now() + OVERLAP));
                self.feed.carried(&filter, |uri| carries.contains(uri));
                if std::mem::take(&mut self.again)
                    && let Some(server) = self.server.upgrade()
                {
                    server.refresh();
                }
                None
            }
            Err(error) if self.current.is_some() || !filter.is_empty() => {
                let broken = matches!(error, ListenError::Link(_)) && self.current.is_none();
                // What the stream before carries goes on; without one, the next is opened for the lists alone.
                self.feed.refused(&match error {
                    ListenError::Refused(why) => why.map_or(SubscribeError::NotHonoured, SubscribeError::Refused),
                    ListenError::Link(error) => SubscribeError::Link(error),
                });
                broken.then_some(End::Broken { opened: false })
            }
            Err(ListenError::Refused(_)) => Some(End::NotOffered),
            Err(ListenError::Link(_)) => Some(End::Broken { opened: false }),
        }
    }

    fn ended(&mut self, side: Side) -> Option<End> {
        match side {
            Side::Old => {
                self.old = None;
                // It ended before its time: what it would have told twice nobody can tell from what it would have told once.
                for (uri, _) in self.tally.drain().filter(|(_, tally)| tally.doubtful) {
                    self.feed.tell(&uri, None);
                }
                None
            }
            Side::New => {
                self.current = None;
                self.again = true;
                if self.opening.is_some() {
                    self.feed.lost();
                    return None;
                }
                Some(End::Broken { opened: true })
            }
        }
    }

    fn hear(&mut self, side: Side, message: Message) {
        let Some(server) = self.server.upgrade() else { return };
        let overflowed = match side {
            Side::Old => self.old.as_ref().map(|(listen, _)| listen).or(self.current.as_ref()),
            Side::New => self.current.as_ref(),
        }
        .is_some_and(Listen::overflowed);
        if overflowed {
            self.feed.tell_all();
            server.refresh();
        }
        match message.method() {
            Some(Method::ResourceUpdated) => {
                if let Some(update) = updated(&message)
                    && self.is_news(side, &update.uri)
                {
                    server.say(Event::ResourceUpdated { server: server.name().clone(), uri: update.uri.to_string() });
                    self.feed.tell(&update.uri, update.params.as_deref());
                }
            }
            Some(Method::Acknowledged) => {}
            _ => server.hear(self.link, message),
        }
    }

    /// Whether an update was not told by the other stream yet. An event during an overlap comes on both, one before it on
    /// the old one alone: of both counts the greater one is how many there were.
    fn is_news(&mut self, side: Side, uri: &str) -> bool {
        if self.opening.is_none() && self.old.is_none() {
            return true;
        }
        if self.tally.len() >= TALLY_MAX && !self.tally.contains_key(uri) {
            return true;
        }
        let tally = self.tally.entry(uri.into()).or_default();
        let count = match side {
            Side::Old => &mut tally.old,
            Side::New => &mut tally.new,
        };
        *count += 1;
        let is_news = *count > tally.told;
        tally.told = tally.told.max(*count);
        tally.doubtful |= side == Side::New && !is_news;
        is_news
    }
}
