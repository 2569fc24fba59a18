//! The hub as it runs: its configuration of the moment, its sessions, and what is made of the servers' catalogs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use omni_audit::{Audit, Event as Audited, EventKind, Origin, Outcome, Transport, Who, Witness};
use omni_auth::{Authenticator, Credentials, Identified, Policy, Refusal, RefusalKind, Source};
use omni_profiles::{Library, ProfileName};
use omni_protocol::Era;
use omni_proxy::{Capabilities, Profile, Server, ServerStatus};
use omni_types::{Fault, FaultKind, Principal, random};
use tokio::sync::Semaphore;

use crate::access::Around;
use crate::approvals::Approvals;
use crate::channel::Channel;
use crate::choices::Choices;
use crate::consents::Consents;
use crate::limits::Limits;
use crate::listening::Listenings;
use crate::own_tools::OwnTool;
use crate::parking::Parking;
use crate::scope::Scope;
use crate::seal::{KEY_BYTES, Seal};
use crate::session::{Session, Sessions};
use crate::snapshot::Snapshot;
use crate::throttle::network;
use crate::view::{Reader, View};

/// Views kept; one for each endpoint and authorization.
const VIEWS_MAX: usize = 1_024;

/// Whom a view is for: what they may see, and what servers show clients of their abilities.
type ViewKey = (Scope, Option<ProfileName>, u128, Era, Capabilities);

/// The hub.
#[derive(Debug)]
pub struct Hub {
    snapshot: ArcSwap<Snapshot>,
    authenticator: ArcSwap<Authenticator>,
    audit: Audit,
    witness: ArcSwapOption<Witness>,
    sessions: Sessions,
    limits: Limits,
    slots: Arc<Semaphore>,
    seal: Seal,
    parking: Parking,
    consents: Consents,
    accounts: foldhash::quality::RandomState,
    listenings: Arc<Listenings>,
    approvals: Approvals,
    library: ArcSwapOption<Library>,
    choices: Choices,
    changes: Arc<AtomicU64>,
    views: Mutex<HashMap<ViewKey, Arc<View>>>,
}

/// A key that nobody knows.
///
/// # Errors
/// When the system has no randomness to give.
pub fn fresh_key() -> Result<[u8; KEY_BYTES], HubError> {
    random().map_err(|_| HubError)
}

/// Why a hub cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the system has no randomness to give")]
pub struct HubError;

impl Hub {
    /// A hub without servers, that takes everybody for `local_principal`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(local_principal: Principal, policy: Policy, limits: Limits) -> Result<Arc<Self>, HubError> {
        Self::with_key(&fresh_key()?, Authenticator::trusting(local_principal), policy, limits)
    }

    /// The same with the key under which it seals what clients bring back: what another hub of the same key sealed, this
    /// one opens.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn with_key(
        key: &[u8; KEY_BYTES],
        authenticator: Authenticator,
        policy: Policy,
        limits: Limits,
    ) -> Result<Arc<Self>, HubError> {
        Ok(Arc::new(Self {
            snapshot: ArcSwap::from_pointee(Snapshot::new(Vec::new(), policy)),
            authenticator: ArcSwap::from_pointee(authenticator),
            audit: Audit::to_log(),
            witness: ArcSwapOption::empty(),
            sessions: Sessions::new(limits.sessions_max, limits.session_idle_timeout, limits.resume_window),
            slots: Arc::new(Semaphore::new(limits.calls_max)),
            consents: Consents::default(),
            accounts: foldhash::quality::RandomState::default(),
            parking: Parking::new(limits.parked_max, limits.input_wait),
            approvals: Approvals::default(),
            library: ArcSwapOption::empty(),
            choices: Choices::default(),
            limits,
            seal: Seal::new(key).map_err(|_| HubError)?,
            listenings: Arc::default(),
            changes: Arc::default(),
            views: Mutex::default(),
        }))
    }

    /// The same hub, which writes down what happens with `audit`.
    ///
    /// # Errors
    /// When others hold it already.
    pub fn audited(mut self: Arc<Self>, audit: Audit) -> Result<Arc<Self>, HubError> {
        Arc::get_mut(&mut self).ok_or(HubError)?.audit = audit;
        Ok(self)
    }

    /// From now on it is a witness of other hubs' audit logs, or of none.
    pub fn witnesses_by(&self, witness: Option<Arc<Witness>>) {
        self.witness.store(witness);
    }

    /// The witness of other hubs' audit logs that it is, where it is one.
    #[must_use]
    pub fn witness(&self) -> Option<Arc<Witness>> {
        self.witness.load_full()
    }

    /// The open `subscriptions/listen` streams.
    pub(crate) const fn listenings(&self) -> &Arc<Listenings> {
        &self.listenings
    }

    /// How many streams of clients of 2026-07-28 are open.
    #[must_use]
    pub fn listening_count(&self) -> usize {
        self.listenings.len()
    }

    /// Ends all those streams in good order.
    pub fn end_listenings(&self) {
        self.listenings.all().iter().for_each(|listening| listening.reader.outbox.end());
    }

    /// The counter that servers count up when their catalogs change.
    #[must_use]
    pub fn changes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.changes)
    }

    /// From now on this configuration is in force; nobody is told.
    pub(crate) fn put_in_force(&self, snapshot: Snapshot) {
        // What was kept under other policy and configuration is not given under these, nor what is being made now.
        let cache = Arc::clone(snapshot.cache());
        self.snapshot.store(Arc::new(snapshot));
        cache.forget(None);
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The configuration in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// What was seen out of the ordinary in messages since the hub started.
    #[must_use]
    pub fn counted(&self) -> omni_screen::Counted {
        self.screen().counts().now()
    }

    /// What is checked of messages, by the configuration in force.
    pub(crate) fn screen(&self) -> Arc<omni_screen::Screen> {
        Arc::clone(self.snapshot.load().screen())
    }

    /// The user on whose behalf the hub runs: who speaks over stdio.
    #[must_use]
    pub fn local(&self) -> Identified {
        self.authenticator.load().local().clone()
    }

    /// Who tells whose a request is.
    #[must_use]
    pub fn authenticator(&self) -> Arc<Authenticator> {
        self.authenticator.load_full()
    }

    /// From now on `authenticator`, a successor of the one before, tells that.
    pub(crate) fn lets_in_by(&self, authenticator: Authenticator) {
        self.authenticator.store(Arc::new(authenticator));
    }

    /// Tells who sends a request from `address`, and writes down whom it cannot tell, and whom it sees there first (row
    /// AUTH-6).
    ///
    /// # Errors
    /// Why nobody is let in.
    pub async fn identify(&self, credentials: &Credentials<'_>, address: IpAddr) -> Result<Identified, Refusal> {
        let snapshot = self.snapshot.load_full();
        let too_many =
            |fault: Fault| Refusal::too_many(fault.public().to_owned(), fault.retry_after().unwrap_or_default());
        let slowed = || snapshot.throttle().may_log_in(address).map_err(too_many);
        let source = Some(Source { network: network(address), slowed: &slowed });
        let (credentials, by) = (Credentials { source, ..*credentials }, self.authenticator());
        let mut told = by.identify(&credentials).await;
        if told.is_err() && by.has_ended() {
            // Others let in by now.
            told = Box::pin(self.authenticator().identify(&credentials)).await;
        }
        let refusal = match told {
            Ok(identified) => {
                let identified = identified.seen_at(address);
                self.let_in(&identified, Channel::Http);
                return Ok(identified);
            }
            Err(refusal) => refusal,
        };
        // Who fails without end fills no log.
        if refusal.kind() == RefusalKind::TooMany {
            return Err(refusal);
        }
        if refusal.is_failure() {
            snapshot.throttle().login_failed(address).map_err(too_many)?;
        }
        // A client that shows nothing at first is how every login begins.
        if refusal.kind() != RefusalKind::Missing {
            let origin = Origin { address: Some(address), transport: Some(Transport::Http), ..Origin::default() };
            self.write_down(Who::Anonymous, &refusal, credentials.path, origin);
        }
        Err(refusal)
    }

    /// Writes down that `identified` was let in, where that is new.
    pub fn let_in(&self, identified: &Identified, channel: Channel) {
        if identified.is_new_here() {
            let origin =
                Origin { address: identified.address(), transport: Some(channel.transport()), ..Origin::default() };
            let event = Audited::new(EventKind::Authentication, "login", Outcome::Success).from(origin);
            self.audit.record(Who::from(identified.principal()), event);
        }
    }

    fn write_down(&self, who: Who, refusal: &Refusal, path: &str, origin: Origin) {
        if self.audit.keeps(EventKind::Authentication, Outcome::Denied) {
            let event = Audited::new(EventKind::Authentication, "login", Outcome::Denied).from(origin);
            let event = if path.is_empty() { event } else { event.on(None, path) };
            self.audit.record(who, event.because(refusal.to_string()));
        }
    }

    /// The fault of a message whose `sender` is not let in any more.
    pub(crate) fn refused(&self, sender: &Identified, refusal: &Refusal) -> Fault {
        let origin = Origin { address: sender.address(), ..Origin::default() };
        self.write_down(Who::from(sender.principal()), refusal, "", origin);
        Fault::new(FaultKind::Unauthenticated, refusal.public())
    }

    /// On whose account a call of `principal` waits where several wait.
    pub(crate) fn account(&self, principal: &Principal) -> omni_proxy::Account {
        use std::hash::BuildHasher as _;
        self.accounts.hash_one(principal)
    }

    /// What happens is written down here.
    #[must_use]
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Sessions of clients.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Bounds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Calls in flight.
    #[must_use]
    pub fn calls_in_flight(&self) -> usize {
        self.limits.calls_max.saturating_sub(self.slots.available_permits())
    }

    /// Calls that wait for a person's word.
    #[must_use]
    pub const fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// Which profiles were chosen.
    pub(crate) const fn choices(&self) -> &Choices {
        &self.choices
    }

    /// The profiles in force.
    pub(crate) const fn library(&self) -> &ArcSwapOption<Library> {
        &self.library
    }

    /// Views are made anew: what a principal may see has changed.
    pub(crate) fn forget_views(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) const fn slots(&self) -> &Arc<Semaphore> {
        &self.slots
    }

    pub(crate) const fn consents(&self) -> &Consents {
        &self.consents
    }

    pub(crate) const fn parking(&self) -> &Parking {
        &self.parking
    }

    /// Calls that wait for what their servers asked of their clients.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.parking.len()
    }

    pub(crate) const fn seal(&self) -> &Seal {
        &self.seal
    }

    /// What `scope` shows `principal`, as a client of `profile`, at this moment.
    pub(crate) fn view(&self, scope: &Scope, principal: &Principal, around: &Around, profile: &Profile) -> Arc<View> {
        let generation = self.changes.load(Ordering::Acquire);
        let snapshot = self.snapshot.load();
        let (policy, around) = (snapshot.policy(), around.surroundings());
        // Not the principal: the same one with other roles sees something else.
        let authorization = policy.authorization(principal, &around);
        // Whoever chose a profile sees what there is at its own path, and its tools beside it.
        let shown = self.shown(scope, principal);
        let of_profile = shown.profile_name().cloned();
        let key = (scope.clone(), of_profile, authorization, profile.version.era(), profile.capabilities.clone());
        {
            let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(view) = views.get(&key).filter(|view| view.generation == generation) {
                return Arc::clone(view);
            }
        }
        // Two callers may make the same view at the same time: cheaper than to make others wait behind a lock.
        let own: Vec<OwnTool> = OwnTool::of(scope, self.has_profiles()).collect();
        let reader = Reader { screen: snapshot.screen(), policy, scope, principal, around, shown: &shown, own: &own };
        let view = Arc::new(View::build(&snapshot, &reader, profile, generation));
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() >= VIEWS_MAX {
            views.clear();
        }
        views.insert(key, Arc::clone(&view));
        view
    }

    /// The servers that `scope` shows anything of.
    pub(crate) fn servers_shown(&self, scope: &Scope) -> Vec<Arc<Server>> {
        let (shown, mut servers) = (self.shown_at(scope), self.servers(scope));
        servers.retain(|server| shown.shows_server(server.name().as_str()));
        servers
    }

    /// The servers that `scope` may lead to.
    pub(crate) fn servers(&self, scope: &Scope) -> Vec<Arc<Server>> {
        let snapshot = self.snapshot.load();
        match scope {
            Scope::All | Scope::Profile(_) => snapshot.servers().to_vec(),
            Scope::One(name) => snapshot.server(name.as_str()).cloned().into_iter().collect(),
        }
    }

    /// How the servers of `scope` fare.
    #[must_use]
    pub fn statuses(&self, scope: &Scope) -> Vec<ServerStatus> {
        self.servers(scope).iter().map(|server| server.status()).collect()
    }

    /// Tells the calls in flight that they are over: their time to finish is.
    pub fn end_calls(&self) {
        for server in self.snapshot.load().servers() {
            server.end_calls();
        }
    }

    /// Wakes the servers of `scope` that were not asked for their catalogs yet, as for a client of `profile`.
    pub(crate) fn wake(&self, scope: &Scope, profile: &Profile) {
        for server in self.servers_shown(scope) {
            server.wake(profile);
        }
    }

    /// Waits until the offers of the servers of `scope` are known, or why they are not; bounded for each server from
    /// the time it was woken, so that a server that hangs holds up the first list and no later one.
    ///
    /// `true` when there was something to wait for.
    pub(crate) async fn settle(&self, scope: &Scope, profile: &Profile) -> bool {
        let mut waited = false;
        for server in self.servers_shown(scope) {
            waited |= server.settle(profile, self.limits.settle_wait).await;
        }
        waited
    }

    /// The client of `session` opened its stream: from now on what servers say on its links has somewhere to go.
    pub fn stream_opened(&self, session: &Arc<Session>) {
        session.stream_opened();
        for server in self.servers(&session.scope) {
            if let Some(link) = server.session_link(session.version, session.id()) {
                server.open_stream(&link);
            }
        }
    }

    /// Ends `session` and the links that belong to it alone.
    pub fn end_session(&self, id: &str) -> bool {
        let Some(session) = self.sessions.remove(id) else { return false };
        for server in self.servers(&session.scope) {
            server.end_session(id);
        }
        true
    }

    /// Stops all servers; returns when their processes are gone, or after a bounded time.
    pub async fn stop(&self) {
        let mut stopping = tokio::task::JoinSet::new();
        for server in self.servers(&Scope::All) {
            stopping.spawn(async move { server.stop().await });
        }
        while stopping.join_next().await.is_some() {}
    }
}
