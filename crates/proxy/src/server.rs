//! One server behind the hub: its links, its catalog, and how it fares. Whatever happens to it stays with it (EMG-1).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_egress::Client;
use omni_protocol::{Era, ListKind, Version};
use omni_types::ServerName;
use tokio::sync::{broadcast, watch};

use crate::back_off::{BackOff, PATIENCE};
use crate::catalog::CatalogState;
use crate::error::LinkError;
use crate::event::Event;
use crate::handshake::greet;
use crate::hello::{Hello, Speaks};
use crate::link::Link;
use crate::process::{Guard, spawn};
use crate::profile::{LinkKey, Profile};
use crate::settings::Sharing;
use crate::spec::{ServerSpec, Transport};
use crate::status::{ServerState, ServerStatus};
use crate::store::CatalogStore;
use crate::transports::{HttpWire, StdioWire};
use crate::wire::Wire;

/// A process that ends sooner than this after its start counts as a failed start.
const STABLE_AFTER: Duration = Duration::from_secs(5);
/// Links to sessions of their own, at most.
const LINKS_MAX: usize = 20_000;
/// For processes to end when the server is stopped.
const STOP_WAIT: Duration = Duration::from_secs(6);

type Connecting = watch::Receiver<Option<Result<Arc<Link>, LinkError>>>;

/// One server behind the hub.
#[derive(Debug)]
pub struct Server {
    pub(crate) spec: ServerSpec,
    guard: Option<Guard>,
    client: Option<Client>,
    links: Mutex<HashMap<LinkKey, Vec<Connecting>>>,
    speaks: Mutex<Speaks>,
    pub(crate) back_off: BackOff,
    pub(crate) catalog: watch::Sender<CatalogState>,
    pub(crate) store: Option<CatalogStore>,
    events: broadcast::Sender<Event>,
    stopping: watch::Sender<bool>,
    pub(crate) refreshing: AtomicBool,
    pub(crate) refresh_again: AtomicBool,
    processes: AtomicU64,
    pub(crate) changes: Arc<AtomicU64>,
    pub(crate) woken: std::sync::OnceLock<std::time::Instant>,
}

impl Server {
    /// A server that is not started yet. What is kept of its catalog on disk is offered at once. `changes` is counted up
    /// whenever what is known of a catalog changes.
    #[must_use]
    pub fn new(
        spec: ServerSpec,
        guard: Option<Guard>,
        store: Option<CatalogStore>,
        events: broadcast::Sender<Event>,
        changes: Arc<AtomicU64>,
    ) -> Arc<Self> {
        let client = match &spec.transport {
            Transport::Http(http) => Some(Client::new(http.target.clone(), spec.pool)),
            Transport::Stdio(_) => None,
        };
        let kept = store.as_ref().and_then(|store| store.load(&spec));
        let mut speaks = Speaks::default();
        if let Some(catalog) = &kept {
            match catalog.hello.version.era() {
                Era::Modern => speaks.modern = Some(true),
                // Only a hint that saves a question: when it proves wrong, the handshake finds out.
                Era::Legacy => speaks.legacy = Some(true),
            }
        }
        let state = CatalogState { catalog: kept.map(Arc::new), ..CatalogState::default() };
        Arc::new(Self {
            spec,
            guard,
            client,
            links: Mutex::default(),
            speaks: Mutex::new(speaks),
            back_off: BackOff::default(),
            catalog: watch::Sender::new(state),
            store,
            events,
            stopping: watch::Sender::new(false),
            refreshing: AtomicBool::new(false),
            refresh_again: AtomicBool::new(false),
            processes: AtomicU64::new(0),
            changes,
            woken: std::sync::OnceLock::new(),
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

    /// What it offers, and every change of that.
    #[must_use]
    pub fn catalog(&self) -> watch::Receiver<CatalogState> {
        self.catalog.subscribe()
    }

    /// What it offers at this moment.
    #[must_use]
    pub fn catalog_now(&self) -> CatalogState {
        self.catalog.borrow().clone()
    }

    pub(crate) fn say(&self, event: Event) {
        let _nobody_listens = self.events.send(event);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopping.borrow()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LinkKey, Vec<Connecting>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn speaks(&self) -> Speaks {
        *self.speaks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under which key a client of `profile` finds its link.
    fn key(&self, profile: &Profile) -> LinkKey {
        let speaks = self.speaks();
        let modern = match profile.version.era() {
            Era::Modern => speaks.modern != Some(false),
            Era::Legacy => speaks.legacy == Some(false),
        };
        if modern {
            return LinkKey { version: Version::V2026_07_28, session: None };
        }
        let own = match &self.spec.transport {
            // A session costs an HTTP server little, and keeps what it says to one client from another.
            Transport::Http(_) => true,
            Transport::Stdio(_) => self.spec.sharing == Sharing::Session,
        };
        match profile.session.as_ref().filter(|_| own) {
            Some(session) => LinkKey { version: profile.version, session: Some(Arc::clone(&session.id)) },
            None => LinkKey { version: Version::LATEST_LEGACY, session: None },
        }
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
                    if let Some(wait) = self.back_off.wait() {
                        if wait > PATIENCE {
                            return Err(self.back_off.error().unwrap_or(LinkError::Stopped));
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
        let mut best: Option<Arc<Link>> = None;
        let mut coming = None;
        for connecting in all.iter() {
            match &*connecting.borrow() {
                Some(Ok(link)) if best.as_ref().is_none_or(|b| link.in_flight() < b.in_flight()) => {
                    best = Some(Arc::clone(link));
                }
                None => coming = Some(connecting.clone()),
                _ => {}
            }
        }
        let more = self.spec.sharing == Sharing::Multiplied && key.session.is_none() && all.len() < self.spec.pool.max;
        match (best, coming) {
            (Some(link), _) if !more || link.in_flight() == 0 => Some(Ok(link)),
            (Some(_), _) => None,
            (None, Some(coming)) => Some(Err(coming)),
            (None, None) => None,
        }
    }

    /// While it is not known which eras a server speaks, nobody starts a second process beside the one that is asked: it
    /// may serve both, or be the only one.
    fn first_contact(&self, links: &HashMap<LinkKey, Vec<Connecting>>) -> Option<Connecting> {
        let speaks = self.speaks();
        if speaks.modern.is_some() || speaks.legacy.is_some() {
            return None;
        }
        let shared = links.iter().filter(|(key, _)| key.session.is_none()).flat_map(|(_, all)| all);
        shared.into_iter().find(|c| c.borrow().is_none() && c.has_changed().is_ok()).cloned()
    }

    fn start(self: &Arc<Self>, profile: &Profile) -> Result<Connecting, LinkError> {
        let key = self.key(profile);
        let (done, connecting) = watch::channel(None);
        {
            let mut links = self.lock();
            if links.len() >= LINKS_MAX {
                return Err(LinkError::Overloaded);
            }
            links.entry(key.clone()).or_default().push(connecting.clone());
        }
        let (server, profile) = (Arc::clone(self), profile.clone());
        tokio::spawn(async move {
            let limit = server.spec.pool.connect_timeout;
            let mut stopping = server.stopping.subscribe();
            let connected = tokio::select! {
                connected = tokio::time::timeout(limit, server.connect(&key, &profile)) => connected,
                _ = stopping.wait_for(|stop| *stop) => Ok(Err(LinkError::Stopped)),
            };
            let outcome = connected.unwrap_or(Err(LinkError::Timeout { seconds: limit.as_secs() }));
            let outcome = server.connected(&key, outcome, done.subscribe());
            let _nobody_waits = done.send(Some(outcome));
        });
        Ok(connecting)
    }

    /// Books the outcome of one attempt.
    fn connected(
        self: &Arc<Self>,
        key: &LinkKey,
        outcome: Result<Arc<Link>, LinkError>,
        connecting: Connecting,
    ) -> Result<Arc<Link>, LinkError> {
        match &outcome {
            Ok(link) => {
                {
                    let mut speaks = self.speaks.lock().unwrap_or_else(PoisonError::into_inner);
                    let wanted = key.version.era();
                    match (wanted, link.version().era()) {
                        (_, Era::Modern) => speaks.modern = Some(true),
                        (_, Era::Legacy) => speaks.legacy = Some(true),
                    }
                    match (wanted, link.version().era()) {
                        (Era::Modern, Era::Legacy) => speaks.modern = Some(false),
                        (Era::Legacy, Era::Modern) => speaks.legacy = Some(false),
                        _ => {}
                    }
                }
                if link.key() != key {
                    // It speaks the other era than was asked for: from now on it is looked for there.
                    let mut links = self.lock();
                    forget(&mut links, key, &connecting);
                    let there = links.entry(link.key().clone()).or_default();
                    let living = |c: &Connecting| c.borrow().as_ref()?.as_ref().ok().filter(|l| l.is_alive()).cloned();
                    if self.spec.sharing == Sharing::Shared
                        && let Some(other) = there.iter().find_map(living)
                    {
                        // One that serves that era is there already; two would keep two states.
                        link.close();
                        return Ok(other);
                    }
                    there.push(connecting);
                }
                self.back_off.succeeded();
                if link.key().session.is_none() {
                    self.listen(link);
                    self.refresh();
                }
            }
            Err(LinkError::Stopped) => forget(&mut self.lock(), key, &connecting),
            Err(error) => {
                tracing::warn!(server = %self.spec.name, %error, "server cannot be reached");
                forget(&mut self.lock(), key, &connecting);
                self.back_off.failed(error);
                self.catalog.send_if_modified(|state| {
                    let changed = state.error.as_ref() != Some(error);
                    state.error = Some(error.clone());
                    state.generation += u64::from(changed);
                    true
                });
                self.changes.fetch_add(1, Ordering::AcqRel);
            }
        }
        outcome
    }

    async fn connect(self: &Arc<Self>, key: &LinkKey, profile: &Profile) -> Result<Arc<Link>, LinkError> {
        let own = key.session.is_some();
        // A process that serves everybody speaks the newest revision of its era, whoever came first.
        let shared = if profile.version.era() == Era::Modern { Version::LATEST } else { Version::LATEST_LEGACY };
        let profile = if own { profile.clone() } else { Profile::hub(shared) };
        let mut next_id = 1;
        let first = self.attempt(&profile, self.speaks(), &mut next_id).await;
        let (wire, hello) = match first {
            // Some servers end when the first message is none that they know.
            Err(LinkError::Ended { .. }) if profile.version.era() == Era::Modern && self.speaks().modern.is_none() => {
                let speaks = Speaks { modern: Some(false), legacy: None };
                self.attempt(&profile, speaks, &mut next_id).await?
            }
            other => other?,
        };
        let version = hello.version;
        let key = match version.era() {
            Era::Modern => LinkKey { version, session: None },
            Era::Legacy if own => LinkKey { version: key.version, session: key.session.clone() },
            Era::Legacy => LinkKey { version: Version::LATEST_LEGACY, session: None },
        };
        let link = Link::new(&self.spec, key, hello, wire, next_id);
        if let Wire::Stdio(wire) = link.wire() {
            let (server, weak) = (Arc::downgrade(self), Arc::downgrade(&link));
            wire.on_unasked(Box::new(move |message| {
                if let (Some(server), Some(link)) = (server.upgrade(), weak.upgrade()) {
                    server.hear(&link, message);
                }
            }));
        }
        Ok(link)
    }

    async fn attempt(
        self: &Arc<Self>,
        profile: &Profile,
        speaks: Speaks,
        next_id: &mut u64,
    ) -> Result<(Wire, Hello), LinkError> {
        let wire = self.wire()?;
        match greet(&wire, profile, speaks, next_id).await {
            Ok(hello) => Ok((wire, hello)),
            Err(error) => {
                match wire {
                    Wire::Stdio(wire) => wire.close(),
                    Wire::Http(wire) => wire.close(),
                }
                Err(error)
            }
        }
    }

    fn wire(self: &Arc<Self>) -> Result<Wire, LinkError> {
        match (&self.spec.transport, &self.client) {
            (Transport::Stdio(spec), _) => {
                let child = spawn(spec, self.guard.as_ref())?;
                self.processes.fetch_add(1, Ordering::AcqRel);
                let (server, began) = (Arc::downgrade(self), std::time::Instant::now());
                let on_end = Box::new(move |error: LinkError| {
                    let Some(server) = server.upgrade() else { return };
                    server.processes.fetch_sub(1, Ordering::AcqRel);
                    server.process_ended(&error, began.elapsed());
                });
                Ok(Wire::Stdio(StdioWire::new(self.spec.name.as_str(), child, on_end)))
            }
            (Transport::Http(spec), Some(client)) => Ok(Wire::Http(HttpWire::new(client.clone(), spec))),
            (Transport::Http(_), None) => Err(LinkError::Stopped),
        }
    }

    fn process_ended(&self, error: &LinkError, age: Duration) {
        for all in self.lock().values_mut() {
            all.retain(|c| !matches!(&*c.borrow(), Some(Ok(link)) if !link.is_alive()));
        }
        if self.is_stopped() {
            return;
        }
        tracing::info!(server = %self.spec.name, %error, "process ended");
        if age < STABLE_AFTER && self.back_off.wait().is_none() {
            self.back_off.failed(error);
        }
    }

    pub(crate) fn shared_link(&self) -> Option<Arc<Link>> {
        let links = self.lock();
        let shared = links.iter().filter(|(key, _)| key.session.is_none()).flat_map(|(_, all)| all);
        shared.filter_map(|c| c.borrow().as_ref().and_then(|r| r.as_ref().ok().cloned())).find(|l| l.is_alive())
    }

    /// The link that belongs to `session` alone, if there is one.
    #[must_use]
    pub fn session_link(&self, version: Version, session: &Arc<str>) -> Option<Arc<Link>> {
        let key = LinkKey { version, session: Some(Arc::clone(session)) };
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

    /// Ends links that have served nobody for the idle time, and closes idle connections.
    pub fn prune(&self) {
        if let Some(client) = &self.client {
            client.prune();
            return;
        }
        let limit = self.spec.pool.idle_timeout;
        let mut ended = Vec::new();
        self.lock().retain(|key, all| {
            if key.session.is_none() {
                let idle = |c: &Connecting| matches!(&*c.borrow(), Some(Ok(link)) if link.idle_for() > limit);
                ended.extend(all.extract_if(.., |c| idle(c)));
            }
            !all.is_empty()
        });
        close_all(&ended);
    }

    /// Ends everything: links, processes. Returns when the processes are gone, or after a bounded time.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        let all: Vec<Connecting> = self.lock().drain().flat_map(|(_, all)| all).collect();
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
        let state = self.catalog_now();
        // A failure that is over, while another process of it serves, is no state.
        let error = if links > 0 { state.error } else { self.back_off.last().or(state.error) };
        let count = |kind| state.catalog.as_ref().map_or(0, |c| c.list(kind).items.len());
        let pool = self.client.as_ref().map(Client::status).unwrap_or_default();
        ServerStatus {
            name: self.spec.name.to_string(),
            transport: self.spec.transport_name(),
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
            connections_in_use: pool.in_use,
            connections_idle: pool.idle,
            tools: count(ListKind::Tools),
            prompts: count(ListKind::Prompts),
            resources: count(ListKind::Resources) + count(ListKind::Templates),
            description: self.spec.description.clone(),
        }
    }
}

fn forget(links: &mut HashMap<LinkKey, Vec<Connecting>>, key: &LinkKey, connecting: &Connecting) {
    if let Some(all) = links.get_mut(key) {
        all.retain(|c| !c.same_channel(connecting));
        if all.is_empty() {
            links.remove(key);
        }
    }
}

fn close_all(links: &[Connecting]) {
    for connecting in links {
        if let Some(Ok(link)) = &*connecting.borrow() {
            link.close();
        }
    }
}
