//! The hub's configuration at one moment; a call sees one snapshot from its beginning to its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use omni_auth::Policy;
use omni_cache::Cache;
use omni_proxy::Server;
use omni_screen::Screen;
use omni_types::ServerName;

use crate::throttle::Throttle;

/// For calls in flight to finish, where nothing else is said.
const DRAIN: Duration = Duration::from_secs(10);

/// Servers and policy in force.
#[derive(Debug)]
pub struct Snapshot {
    servers: Vec<Arc<Server>>,
    by_name: HashMap<ServerName, usize, foldhash::fast::RandomState>,
    policy: Policy,
    screen: Arc<Screen>,
    throttle: Arc<Throttle>,
    drain: Duration,
    cache: Arc<Cache>,
}

impl Snapshot {
    /// A snapshot of `servers`, in the order in which they are listed.
    #[must_use]
    pub fn new(servers: Vec<Arc<Server>>, policy: Policy) -> Self {
        let by_name = servers.iter().enumerate().map(|(at, server)| (server.name().clone(), at)).collect();
        Self {
            servers,
            by_name,
            policy,
            screen: Arc::default(),
            throttle: Arc::default(),
            drain: DRAIN,
            cache: Arc::default(),
        }
    }

    /// The same with another screen than the built-in one.
    #[must_use]
    pub fn with_screen(mut self, screen: Arc<Screen>) -> Self {
        self.screen = screen;
        self
    }

    /// What is checked of messages on their way in and out.
    #[must_use]
    pub const fn screen(&self) -> &Arc<Screen> {
        &self.screen
    }

    /// The same with limits on how much may be asked for.
    #[must_use]
    pub fn throttled(self, throttle: Arc<Throttle>) -> Self {
        Self { throttle, ..self }
    }

    /// How much may be asked for.
    #[must_use]
    pub const fn throttle(&self) -> &Arc<Throttle> {
        &self.throttle
    }

    /// The same with another time for calls in flight to finish.
    #[must_use]
    pub const fn draining(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// For calls in flight to finish when a server is removed, or the hub is asked to stop.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        self.drain
    }

    /// The same with what is kept to be given again.
    #[must_use]
    pub fn with_cache(self, cache: Arc<Cache>) -> Self {
        Self { cache, ..self }
    }

    /// What is kept to be given again.
    #[must_use]
    pub const fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// All servers.
    #[must_use]
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The server called `name`.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Arc<Server>> {
        self.by_name.get(name).map(|at| &self.servers[*at])
    }

    /// Who may do what.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}
