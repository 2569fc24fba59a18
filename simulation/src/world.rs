//! One world: the hub, the servers behind it, and the network between them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use omni_auth::Policy;
use omni_auth::settings::PolicySettings;
use omni_hub::{Hub, Limits, Snapshot};
use omni_proxy::settings::{PoolSettings, ServerSettings};
use omni_proxy::{ServerSpec, Transport};
use omni_types::Principal;

use crate::book::Book;
use crate::chance::Chance;
use crate::network::{Dialer, Network};
use crate::plan::{CALL_TIMEOUT_S, CONNECT_TIMEOUT_S, INPUT_WAIT, Plan, SESSION_IDLE, SETTLE_WAIT};
use crate::planted::Planted;
use crate::server::Server;

/// Seconds after which an idle connection is closed.
const CONNECTION_IDLE_S: u64 = 20;

/// For what is never to end.
const FOREVER: Duration = Duration::from_secs(86_400);

/// Everything there is.
pub(crate) struct World {
    pub(crate) hub: Arc<Hub>,
    pub(crate) servers: Vec<Arc<Server>>,
    pub(crate) book: Book,
    pub(crate) plan: Plan,
    pub(crate) network: Arc<Network>,
    /// Whether what servers say of their own accord is held to arrive.
    pub(crate) streams: bool,
    abandoned: Mutex<Vec<u64>>,
}

impl World {
    pub(crate) fn make(plan: Plan, chance: &Chance, streams: bool) -> Result<Self> {
        let policy = || Policy::build(&PolicySettings::default()).map_err(|faults| anyhow!("{faults:?}"));
        let limits = Limits {
            settle_wait: SETTLE_WAIT,
            session_idle_timeout: if plan.has(Planted::SessionKept) { FOREVER } else { SESSION_IDLE },
            input_wait: if plan.has(Planted::ParkedKept) { FOREVER } else { INPUT_WAIT },
            sessions_max: plan.sessions_max,
            ..Limits::default()
        };
        let hub = Hub::new(Principal::local("simulation"), policy()?, limits)?;
        let book = Book::new();
        let network = Network::new(&plan, chance.fork(), &book);
        let (mut servers, mut behind) = (Vec::new(), Vec::new());
        for (at, speaks) in plan.servers.iter().enumerate() {
            let name = format!("s{at}");
            let server = Server::new(&name, *speaks, &plan, chance.fork(), &book);
            network.add(&name, &server);
            let pool = PoolSettings {
                initial: 1,
                size: plan.connections_max,
                max: plan.connections_max,
                connect_timeout_s: Some(CONNECT_TIMEOUT_S),
                idle_timeout_s: CONNECTION_IDLE_S,
            };
            let url = Some(format!("http://{name}/mcp"));
            let settings = ServerSettings { url, pool, timeout_s: Some(CALL_TIMEOUT_S), ..ServerSettings::default() };
            let mut spec = ServerSpec::build(&name, &settings, "omni".as_ref())?;
            let Transport::Remote(http) = &mut spec.transport else { return Err(anyhow!("{name} is not behind HTTP")) };
            http.target = http.target.clone().dialed_by(Arc::new(Dialer(Arc::clone(&network))));
            behind.push(omni_proxy::Server::new(spec, None, None, hub.audience(), hub.changes()));
            servers.push(server);
        }
        hub.replace(Snapshot::new(behind, policy()?), None);
        hub.start();
        Ok(Self { hub, servers, book, plan, network, streams, abandoned: Mutex::default() })
    }

    /// A call whose client does not wait for it any more.
    pub(crate) fn abandoned(&self, call: u64) {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// All of those.
    pub(crate) fn all_abandoned(&self) -> Vec<u64> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("plan", &self.plan).finish_non_exhaustive()
    }
}
