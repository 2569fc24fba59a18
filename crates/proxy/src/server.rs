//! One server behind the hub: its links, its catalog, and how it fares. Whatever happens to it stays with it (EMG-1).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_egress::Client;
use omni_protocol::{Era, ListKind, Version};
use omni_types::{Fault, ServerName};

use crate::back_off::PATIENCE;
use crate::breaker::millis;
use crate::bulkhead::{Account, Place};
use crate::capabilities::Capabilities;
use crate::catalog::CatalogState;
use crate::error::LinkError;
use crate::event::{Audience, Event};
use crate::feed::Feed;
use crate::health::Health;
use crate::hello::{Doubts, Speaks};
use crate::link::Link;
use crate::process::Guard;
use crate::profile::{LinkKey, Profile};
use crate::settings::Sharing;
use crate::shelf::{Shelf, Shelves};
use crate::slots::{Connecting, Links, close_all};
use crate::spec::{ServerSpec, Transport};
use crate::status::{ServerState, ServerStatus};
use crate::store::CatalogStore;
use crate::watch_channel;

/// For a process above the working size to be idle before it is ended.
const ABOVE_SIZE_IDLE: Duration = Duration::from_secs(5);
/// Between two looks whether a server that is to go still has calls.
const RETIRE_LOOK: Duration = Duration::from_millis(20);
/// For processes to end when the server is stopped.
const STOP_WAIT: Duration = Duration::from_secs(6);

/// One server behind the hub.
#[derive(Debug)]
pub struct Server {
    pub(crate) spec: ServerSpec,
    pub(crate) guard: Option<Guard>,
    pub(crate) client: Option<Client>,
    links: Mutex<Links>,
    pub(crate) speaks: Mutex<Speaks>,
    pub(crate) doubts: Doubts,
    /// When its lists were read last because a call proved them stale.
    pub(crate) reread: tokio::sync::Mutex<Option<tokio::time::Instant>>,
    pub(crate) health: Arc<Health>,
    pub(crate) shelves: Shelves,
    pub(crate) store: Option<CatalogStore>,
    audience: Arc<dyn Audience>,
    pub(crate) feeds: Mutex<HashMap<LinkKey, Arc<Feed>>>,
    pub(crate) stopping: watch_channel::Sender<bool>,
    pub(crate) processes: AtomicU64,
    pub(crate) changes: Arc<AtomicU64>,
}

impl Server {
    /// A server that is not started yet. What is kept of its catalog on disk is offered at once. What it says of its own
    /// accord `audience` hears. `changes` is counted up whenever what is known of a catalog changes.
    #[must_use]
    pub fn new(
        spec: ServerSpec,
        guard: Option<Guard>,
        store: Option<CatalogStore>,
        audience: Arc<dyn Audience>,
        changes: Arc<AtomicU64>,
    ) -> Arc<Self> {
        let client = match &spec.transport {
            Transport::Remote(remote) => Some(Client::new(remote.target.clone(), spec.pool)),
            Transport::Stdio(_) => None,
        };
        let kept = store.as_ref().and_then(|store| store.load(&spec, &Capabilities::default()));
        let mut speaks = Speaks::default();
        if let Some(catalog) = &kept {
            match catalog.hello.version.era() {
                Era::Modern => speaks.modern = Some(true),
                // Only a hint that saves a question: when it proves wrong, the handshake finds out.
                Era::Legacy => speaks.legacy = Some(true),
            }
        }
        let state = CatalogState { catalog: kept.map(Arc::new), ..CatalogState::default() };
        let health = Arc::new(Health::new(&spec.resilience));
        Arc::new(Self {
            spec,
            guard,
            client,
            links: Mutex::default(),
            speaks: Mutex::new(speaks),
            doubts: Doubts::default(),
            reread: tokio::sync::Mutex::default(),
            health,
            shelves: Shelves::new(state),
            store,
            audience,
            feeds: Mutex::default(),
            stopping: watch_channel::Sender::new(false),
            processes: AtomicU64::new(0),
            changes,
        })
    }

    /// What it is.
    #[must_use]
    pub const fn spec(&self) -> &ServerSpec {
        &self.spec
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &ServerName {
        &self.spec.name
    }

    /// What it offers at this moment to clients of `profile`.
    #[must_use]
    pub fn catalog_now(&self, profile: &Profile) -> CatalogState {
        self.shelf(profile).catalog.borrow().clone()
    }

    /// What was last known of it, whoever asked.
    #[must_use]
    pub fn last_catalog(&self) -> CatalogState {
        let states = self.shelves.all().into_iter().map(|shelf| shelf.catalog.borrow().clone());
        states.max_by_key(|state| (state.catalog.is_some(), state.fresh, state.error.is_some())).unwrap_or_default()
    }

    /// Whether a client of `profile` is served in 2026-07-28, as far as is known.
    fn serves_modern(&self, profile: &Profile) -> bool {
        let speaks = self.speaks();
        match profile.version.era() {
            Era::Modern => speaks.modern != Some(false),
            Era::Legacy => speaks.legacy == Some(false),
        }
    }

    /// The catalog that clients of `profile` are shown. In 2026-07-28 a server has one for all.
    pub(crate) fn shelf(&self, profile: &Profile) -> Arc<Shelf> {
        if self.serves_modern(profile) { Arc::clone(&self.shelves.base) } else { self.shelf_for(&profile.capabilities) }
    }

    /// The catalog that is read on `link`.
    pub(crate) fn shelf_of(&self, link: &Link) -> Arc<Shelf> {
        self.shelf_for(&link.key().capabilities)
    }

    pub(crate) fn shelf_for(&self, capabilities: &Capabilities) -> Arc<Shelf> {
        let in_use = |kept: &Capabilities| self.lock().keys().any(|key| key.capabilities == *kept);
        self.shelves.of(capabilities, in_use, || {
            let kept = self.store.as_ref().and_then(|store| store.load(&self.spec, capabilities));
            CatalogState { catalog: kept.map(Arc::new), ..CatalogState::default() }
        })
    }

    pub(crate) fn say(&self, event: Event) {
        self.audience.hear(event);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn speaks(&self) -> Speaks {
        *self.speaks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether clients of the earlier revisions share its processes: what it keeps in one, it keeps for all of them.
    #[must_use]
    pub fn shares_processes(&self) -> bool {
        matches!(self.spec.transport, Transport::Stdio(_)) && self.spec.sharing != Sharing::Session
    }

    /// Whether each session has a process of its own: what one reads there, another may not find.
    #[must_use]
    pub fn is_per_session(&self) -> bool {
        matches!(self.spec.transport, Transport::Stdio(_)) && self.spec.sharing == Sharing::Session
    }

    /// Under which key a client of `profile` finds its link.
    pub(crate) fn key(&self, profile: &Profile) -> LinkKey {
        if self.serves_modern(profile) {
            return LinkKey::modern();
        }
        let own = match &self.spec.transport {
            // A session costs such a server little, and keeps what it says to one client from another.
            Transport::Remote(_) => true,
            Transport::Stdio(_) => self.is_per_session(),
        };
        match profile.session.as_ref().filter(|_| own) {
            Some(session) => LinkKey {
                version: profile.version,
                session: Some(Arc::clone(&session.id)),
                capabilities: Capabilities::default(),
            },
            None => LinkKey::shared(self.shelf_for(&profile.capabilities).capabilities.clone()),
        }
    }

    /// A place for one call, which it keeps until its end: at once, or after a bounded wait. `account` is asked for when it
    /// has to wait: accounts take turns.
    ///
    /// # Errors
    /// When the breaker is open, the places are taken and the queue is full, or the server was stopped.
    pub async fn enter(&self, account: impl FnOnce() -> Account) -> Result<Place, LinkError> {
        self.health.enter(account).await
    }

    /// The fault of a call that failed with `error`: why, how the server fares, and when it is tried again.
    #[must_use]
    pub fn fault(&self, error: &LinkError) -> Fault {
        self.health.fault(&self.spec.name, error)
    }

    /// A link for a client of `profile`: one that is there, or a new one. Callers that wait for the same one wait
    /// together, and learn the same reason when it fails.
    ///
    /// # Errors
    /// Why it cannot be reached.
    pub async fn link(self: &Arc<Self>, profile: &Profile) -> Result<Arc<Link>, LinkError> {
        loop {
            if self.is_stopped() {
                return Err(LinkError::Stopped);
            }
            let (mut connecting, is_new) = match self.existing(profile) {
                Some(Ok(link)) => return Ok(link),
                Some(Err(connecting)) => (connecting, false),
                None => {
                    if let Some(wait) = self.health.back_off.wait() {
                        if wait > PATIENCE {
                            return Err(self.health.back_off.error().unwrap_or(LinkError::Stopped));
                        }
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    (self.start(profile)?, true)
                }
            };
            let outcome = connecting.wait_for(Option::is_some).await.map_err(|_| LinkError::Stopped)?.clone();
            match outcome {
                // What others waited for may have turned out to be of another era than they need.
                Some(Ok(link)) if *link.key() == self.key(profile) && (link.is_alive() || is_new) => return Ok(link),
                Some(Err(error)) => return Err(error),
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// A living link, or one on its way.
    fn existing(&self, profile: &Profile) -> Option<Result<Arc<Link>, Connecting>> {
        let key = self.key(profile);
        let mut links = self.lock();
        if key.session.is_none()
            && let Some(first) = self.first_contact(&links)
        {
            return Some(Err(first));
        }
        let all = links.get_mut(&key)?;
        all.retain(|c| {
            !matches!(&*c.borrow(), Some(Ok(link)) if !link.is_alive())
                && c.has_changed().is_ok() | c.borrow().is_some()
        });
        // One on which questions find their client goes before one that is less busy.
        let rank = |link: &Arc<Link>| (link.is_in_doubt(), link.in_flight());
        let mut best: Option<Arc<Link>> = None;
        let mut coming = None;
        for connecting in all.iter() {
            match &*connecting.borrow() {
                Some(Ok(link)) if best.as_ref().is_none_or(|b| rank(link) < rank(b)) => {
                    best = Some(Arc::clone(link));
                }
                None => coming = Some(connecting.clone()),
                _ => {}
            }
        }
        let more = self.spec.sharing == Sharing::Multiplied && key.session.is_none() && all.len() < self.spec.pool.max;
        match (best, coming) {
            (Some(link), _) if !more || rank(&link) == (false, 0) => Some(Ok(link)),
            (Some(_), _) => None,
            (None, Some(coming)) => Some(Err(coming)),
            (None, None) => None,
        }
    }

    /// While it is not known which eras a server speaks, nobody starts a second process beside the one that is asked: it
    /// may serve both, or be the only one.
    fn first_contact(&self, links: &Links) -> Option<Connecting> {
        let speaks = self.speaks();
        if speaks.modern.is_some() || speaks.legacy.is_some() {
            return None;
        }
        let shared = links.iter().filter(|(key, _)| key.session.is_none()).flat_map(|(_, all)| all);
        shared.into_iter().find(|c| c.borrow().is_none() && c.has_changed().is_ok()).cloned()
    }

    /// A living link on which a catalog can be asked for as a client of `capabilities` sees it.
    pub(crate) fn shared_link(&self, capabilities: &Capabilities) -> Option<Arc<Link>> {
        let links = self.lock();
        let fits = |key: &LinkKey| key.session.is_none() && key.capabilities == *capabilities;
        let shared = links.iter().filter(|(key, _)| fits(key)).flat_map(|(_, all)| all);
        shared.filter_map(|c| c.borrow().as_ref().and_then(|r| r.as_ref().ok().cloned())).find(|l| l.is_alive())
    }

    /// The link that belongs to `session` alone, if there is one.
    #[must_use]
    pub fn session_link(&self, version: Version, session: &Arc<str>) -> Option<Arc<Link>> {
        let key = LinkKey { version, session: Some(Arc::clone(session)), capabilities: Capabilities::default() };
        let links = self.lock();
        links.get(&key)?.iter().find_map(|c| c.borrow().as_ref().and_then(|r| r.as_ref().ok().cloned()))
    }

    /// Opens the stream on which the server speaks of its own accord to `session`, if its link has none yet.
    pub fn open_stream(self: &Arc<Self>, link: &Arc<Link>) {
        if link.is_alive() {
            self.listen(link);
        }
    }

    /// Ends the links that belong to `session` alone.
    pub fn end_session(&self, session: &str) {
        let mut ended = Vec::new();
        self.lock().retain(|key, all| {
            let own = key.session.as_deref() == Some(session);
            if own {
                ended.append(all);
            }
            !own
        });
        close_all(&ended);
    }

    /// Ends the links of sessions that are not there any more, should one have been made while its session ended.
    pub fn end_sessions_but(&self, alive: impl Fn(&str) -> bool) {
        let mut ended = Vec::new();
        self.lock().retain(|key, all| {
            let gone = key.session.as_deref().is_some_and(|id| !alive(id));
            if gone {
                ended.append(all);
            }
            !gone
        });
        close_all(&ended);
    }

    /// Ends links that have served nobody for the idle time, and closes idle connections.
    pub fn prune(&self) {
        if let Some(client) = &self.client {
            client.prune();
        }
        let limit = self.spec.pool.idle_timeout;
        let mut ended = Vec::new();
        let mut links = self.lock();
        // At an address one shared conversation is kept, to hear what changes there: that of clients that declare nothing,
        // or another where there is none.
        let shared = links.keys().filter(|key| key.session.is_none());
        let listener = shared.min_by_key(|key| (!key.capabilities.is_empty(), key.capabilities.text())).cloned();
        links.retain(|key, all| {
            let kept = self.client.is_some() && (key.capabilities.is_empty() || listener.as_ref() == Some(key));
            if key.session.is_none() && !kept {
                let idle = |c: &Connecting, limit| matches!(&*c.borrow(), Some(Ok(link)) if link.idle_for() > limit);
                ended.extend(all.extract_if(.., |c| idle(c, limit)));
                let above = all.len().saturating_sub(self.spec.pool.size);
                ended.extend(all.extract_if(.., |c| idle(c, ABOVE_SIZE_IDLE)).take(above));
            }
            !all.is_empty()
        });
        drop(links);
        close_all(&ended);
    }

    /// Ends it when the calls that it holds have ended, or after `limit`: those that are left are told.
    pub async fn retire(&self, limit: Duration) {
        let until = tokio::time::Instant::now() + limit;
        while self.health.is_busy() && tokio::time::Instant::now() < until {
            tokio::time::sleep(RETIRE_LOOK).await;
        }
        self.stop().await;
    }

    /// Tells the calls in flight that they are over, and takes no others.
    pub fn end_calls(&self) {
        self.health.end_calls();
    }

    /// Ends everything: links, processes. Returns when the processes are gone, or after a bounded time.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        self.health.end_calls();
        let all: Vec<Connecting> = self.lock().drain(..).flat_map(|(_, all)| all).collect();
        close_all(&all);
        drop(all);
        let until = tokio::time::Instant::now() + STOP_WAIT;
        while self.processes.load(Ordering::Acquire) > 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How it fares.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        let (mut links, mut calls, mut starting, mut revisions) = (0, 0, false, Vec::new());
        for connecting in self.lock().values().flatten() {
            match &*connecting.borrow() {
                Some(Ok(link)) => {
                    links += 1;
                    calls += link.in_flight();
                    revisions.push(link.version().as_str());
                }
                None => starting = true,
                Some(Err(_)) => {}
            }
        }
        revisions.sort_unstable();
        revisions.dedup();
        let state = self.last_catalog();
        // A failure that is over, while another process of it serves, is no state.
        let error = if links > 0 { state.error } else { self.health.back_off.last().or(state.error) };
        let breaker = self.health.breaker.status();
        let error = error.or(self.health.breaker.why());
        let count = |kind| state.catalog.as_ref().map_or(0, |c| c.list(kind).items.len());
        let pool = self.client.as_ref().map(Client::status).unwrap_or_default();
        ServerStatus {
            name: self.spec.name.to_string(),
            transport: if self.speaks().sse { "sse" } else { self.spec.transport_name() },
            state: match (links > 0, &error, starting) {
                (true, None, _) => ServerState::Ready,
                (_, _, true) => ServerState::Starting,
                (_, Some(_), _) => ServerState::Failing,
                (false, None, false) => ServerState::Asleep,
            },
            error: error.map(|e| e.to_string()),
            revisions,
            links,
            calls,
            calls_waiting: self.health.bulkhead.waiting(),
            breaker,
            retry_after_ms: self.health.retry_after().map(millis),
            subscriptions: self.subscriptions(),
            connections_in_use: pool.in_use,
            connections_idle: pool.idle,
            tools: count(ListKind::Tools),
            prompts: count(ListKind::Prompts),
            resources: count(ListKind::Resources) + count(ListKind::Templates),
            description: self.spec.description.clone(),
        }
    }
}
