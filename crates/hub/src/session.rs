//! Sessions of clients that began with `initialize`: what each said of itself, and what waits for it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use indexmap::IndexMap;
use omni_protocol::{Message, Version};
use omni_proxy::{Capabilities, Link, Profile, SessionProfile};
use omni_types::{NoRandomness, Principal, ServerName, random};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::access::Around;
use crate::calls::Calls;
use crate::event_store::{EventStore, Keeping};
use crate::outbox::Outbox;
use crate::scope::Scope;
use crate::subscriptions::{Reader, Subscriptions};

/// Requests of one server that wait for one client's answers.
const QUESTIONS_MAX: usize = 32;
/// Bytes of what a client says of itself that the audit log takes along.
pub(crate) const CLIENT_INFO_BYTES_MAX: usize = 1_024;
/// Random bytes of a session id.
const ID_BYTES: usize = 24;

/// One client's session.
#[derive(Debug)]
pub struct Session {
    /// Who opened it; nobody else may use it.
    pub principal: Principal,
    /// The revision agreed on.
    pub version: Version,
    /// The servers it sees.
    pub scope: Scope,
    /// What the client said of itself.
    pub profile: Arc<SessionProfile>,
    /// What it said of the program that it is, for the audit log.
    pub client_info: Arc<str>,
    /// From where it was opened; `None` where it came over no network.
    pub address: Option<IpAddr>,
    /// What waits for the client's stream.
    pub outbox: Arc<Outbox>,
    /// What was sent on its streams, for a client that comes back.
    pub events: EventStore,
    /// Calls in flight.
    pub calls: Arc<Calls>,
    /// Resources it is subscribed to.
    pub(crate) subscriptions: Subscriptions,
    capabilities: Capabilities,
    log_level: Mutex<Option<String>>,
    level_told: Mutex<HashSet<ServerName>>,
    questions: Mutex<HashMap<u64, Question>>,
    next_question: AtomicU64,
    streams: AtomicUsize,
    began: Instant,
    last_seen_ms: AtomicU64,
    ended: AtomicBool,
}

/// A request that waits for the client's answer.
#[derive(Debug)]
pub(crate) enum Question {
    /// A server's own: the answer goes to it as it comes.
    OfServer {
        /// Where the answer goes.
        link: Weak<Link>,
        /// JSON text of the id under which the server asked.
        id: String,
    },
    /// The hub's, for a call that waits in it.
    OfHub {
        /// For which server.
        server: ServerName,
        /// Where the answer goes.
        to: oneshot::Sender<Message>,
    },
}

impl Question {
    fn is_open(&self) -> bool {
        match self {
            Self::OfServer { link, .. } => link.strong_count() > 0,
            Self::OfHub { to, .. } => !to.is_closed(),
        }
    }

    fn is_of(&self, name: &ServerName) -> bool {
        match self {
            Self::OfServer { link, .. } => link.upgrade().is_some_and(|link| link.server() == name),
            Self::OfHub { server, .. } => server == name,
        }
    }
}

impl Session {
    /// A session that just opened.
    #[must_use]
    pub fn new(principal: Principal, version: Version, scope: Scope, profile: SessionProfile) -> Self {
        Self {
            capabilities: Capabilities::of(&profile.capabilities),
            client_info: Some(&profile.client_info)
                .filter(|info| info.len() <= CLIENT_INFO_BYTES_MAX)
                .map_or_else(Arc::default, |info| info.as_str().into()),
            principal,
            version,
            scope,
            profile: Arc::new(profile),
            address: None,
            outbox: Arc::default(),
            events: EventStore::default(),
            calls: Arc::default(),
            subscriptions: Subscriptions::default(),
            log_level: Mutex::default(),
            level_told: Mutex::default(),
            questions: Mutex::default(),
            next_question: AtomicU64::new(1),
            streams: AtomicUsize::new(0),
            began: Instant::now(),
            last_seen_ms: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.profile.id
    }

    /// For whom links of this session are wanted.
    #[must_use]
    pub fn link_profile(&self) -> Profile {
        Profile {
            version: self.version,
            session: Some(Arc::clone(&self.profile)),
            capabilities: self.capabilities.clone(),
        }
    }

    /// JSON text of what this client can be asked by a server of 2026-07-28: what it declared, as far as its revision
    /// knows it.
    pub(crate) fn modern_capabilities(&self) -> Cow<'_, str> {
        let declared = self.capabilities.text();
        let unknown: &[&str] = match self.version {
            Version::V2025_11_25 => return Cow::Borrowed(declared),
            Version::V2025_06_18 => &["url", "tools"],
            _ => &["elicitation", "tools"],
        };
        let Ok(Value::Object(mut kept)) = serde_json::from_str(declared) else { return Cow::Borrowed("{}") };
        for name in unknown {
            kept.remove(*name);
            for part in ["elicitation", "sampling"] {
                if let Some(Value::Object(modes)) = kept.get_mut(part) {
                    modes.remove(*name);
                }
            }
        }
        Cow::Owned(Value::Object(kept).to_string())
    }

    /// From where it calls, as far as policies look at it.
    pub(crate) fn around(&self) -> Around {
        Around::new(Some(&self.profile.client_info), self.version.as_str(), self.address)
    }

    /// Who is told of what it is subscribed to.
    pub(crate) fn reader(&self) -> Reader {
        let (scope, principal) = (self.scope.clone(), self.principal.clone());
        let around = self.around();
        Reader { scope, principal, profile: self.link_profile(), around, outbox: Arc::clone(&self.outbox) }
    }

    /// Whether it was ended. A request that was on its way then is refused like any later one.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.events.close();
        // The one connection of a conversation, or the session's own stream: nothing comes on it any more.
        self.outbox.end();
        // Whoever waits in the hub for this client learns that it is gone.
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.subscriptions.end();
    }

    /// The client was heard of.
    pub fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_seen_ms.store(now, Ordering::Relaxed);
    }

    fn idle_for(&self) -> Duration {
        if self.streams.load(Ordering::Relaxed) > 0 || !self.calls.is_empty() {
            return Duration::ZERO;
        }
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last_seen_ms.load(Ordering::Relaxed)))
    }

    /// The client opened a stream.
    pub fn stream_opened(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// The client's stream ended.
    pub fn stream_closed(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
        self.touch();
    }

    /// Whether the client has a stream open.
    #[must_use]
    pub fn has_stream(&self) -> bool {
        self.streams.load(Ordering::Relaxed) > 0
    }

    /// The log level that the client asked for.
    #[must_use]
    pub fn log_level(&self) -> Option<String> {
        self.log_level.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The client asks for log lines from `level` on.
    pub fn set_log_level(&self, level: &str) {
        *self.log_level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level.to_owned());
        self.level_told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// `true` the first time it is asked since the level was set: then `server` has to be told.
    pub fn level_told(&self, server: &ServerName) -> bool {
        self.level_told.lock().unwrap_or_else(PoisonError::into_inner).insert(server.clone())
    }

    /// Remembers a server's request; the number under which the client is asked. `None` when too many wait.
    pub fn ask(&self, link: &Arc<Link>, id: &str) -> Option<u64> {
        self.remember(link.server(), Question::OfServer { link: Arc::downgrade(link), id: id.to_owned() })
    }

    /// The same for a request that the hub sends because of `server`; the answer comes `to` it.
    pub(crate) fn ask_for_hub(&self, server: &ServerName, to: oneshot::Sender<Message>) -> Option<u64> {
        self.remember(server, Question::OfHub { server: server.clone(), to })
    }

    fn remember(&self, server: &ServerName, question: Question) -> Option<u64> {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.retain(|_, question| question.is_open());
        if questions.values().filter(|question| question.is_of(server)).count() >= QUESTIONS_MAX {
            // Clients do not answer what they cancelled: the oldest is the likeliest to wait in vain.
            let oldest =
                questions.iter().filter(|(_, question)| question.is_of(server)).map(|(number, _)| *number).min();
            oldest.and_then(|number| questions.remove(&number));
        }
        let number = self.next_question.fetch_add(1, Ordering::Relaxed);
        questions.insert(number, question);
        Some(number)
    }

    /// A server takes back what it asked under `id`; the number under which the client was asked.
    pub(crate) fn withdraw(&self, asker: &Arc<Link>, id: &str) -> Option<u64> {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |question: &Question| match question {
            Question::OfServer { link, id: own } => own == id && std::ptr::eq(link.as_ptr(), Arc::as_ptr(asker)),
            Question::OfHub { .. } => false,
        };
        let number = questions.iter().find(|(_, question)| is_it(question)).map(|(number, _)| *number)?;
        questions.remove(&number);
        Some(number)
    }

    /// The request that the client's answer `number` is for.
    pub(crate) fn answered(&self, number: u64) -> Option<Question> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).remove(&number)
    }
}

/// In the order in which they were opened: what happens to several goes the same way each time.
fn oldest_first(mut sessions: Vec<Arc<Session>>) -> Vec<Arc<Session>> {
    sessions.sort_by_key(|session| session.began);
    sessions
}

/// All sessions.
#[derive(Debug)]
pub struct Sessions {
    by_id: RwLock<IndexMap<Arc<str>, Arc<Session>, foldhash::fast::RandomState>>,
    max: usize,
    idle_timeout: Duration,
    keeping: Arc<Keeping>,
}

impl Sessions {
    /// A table of `max` sessions that end after `idle_timeout` without a sign of their client, and keep what they sent
    /// for `resume_window`.
    #[must_use]
    pub fn new(max: usize, idle_timeout: Duration, resume_window: Duration) -> Self {
        Self { by_id: RwLock::default(), max, idle_timeout, keeping: Keeping::new(resume_window) }
    }

    /// A session id that cannot be guessed: 192 random bits, visible ASCII (Streamable HTTP, "Session Management").
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn fresh_id() -> Result<Arc<str>, NoRandomness> {
        Ok(omni_types::hex(&random::<ID_BYTES>()?).into())
    }

    /// Adds a session; `false` when the table is full.
    pub fn add(&self, session: &Arc<Session>) -> bool {
        let mut all = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= self.max {
            return false;
        }
        session.events.share(&self.keeping);
        all.insert(Arc::clone(session.id()), Arc::clone(session));
        true
    }

    /// The session `id`.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Ends the session `id`.
    pub fn remove(&self, id: &str) -> Option<Arc<Session>> {
        let removed = self.by_id.write().unwrap_or_else(PoisonError::into_inner).swap_remove(id);
        removed.inspect(|session| session.end())
    }

    /// Takes out the sessions that were idle for too long.
    pub fn expired(&self) -> Vec<Arc<Session>> {
        let mut all = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let expired = all.extract_if(.., |_, session| session.idle_for() > self.idle_timeout);
        let expired = oldest_first(expired.map(|(_, session)| session).collect());
        expired.into_iter().inspect(|session| session.end()).collect()
    }

    /// All sessions at this moment, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Session>> {
        oldest_first(self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
