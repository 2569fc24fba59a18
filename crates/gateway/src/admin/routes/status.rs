//! `GET /status`: the hub at a glance.

use omni_hub::{Scope, ServerState};
use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::reply::Done;
use crate::admin::route::{Route, reads};

/// The hub at a glance.
#[derive(Debug, Serialize, JsonSchema)]
struct Status {
    /// The hub's version.
    version: &'static str,
    /// The hub's process.
    pid: u32,
    /// `degraded` while a server fails.
    state: State,
    /// Sessions of clients.
    sessions: usize,
    /// Calls in flight.
    calls: usize,
    /// Calls that wait for what their servers asked of their clients.
    waiting_for_input: usize,
    /// Calls that wait for an administrator's word.
    waiting_for_approval: usize,
    /// Servers by what they are doing.
    servers: Servers,
    /// Whether what is kept can be read: where it cannot, API keys and tokens of providers are refused.
    store: Store,
}

/// How the hub fares.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// All is well.
    Ready,
    /// A server fails, or what is kept cannot be read.
    Degraded,
}

/// Servers by what they are doing.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Servers {
    asleep: usize,
    starting: usize,
    ready: usize,
    failing: usize,
}

/// Whether what is kept can be read.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Store {
    /// It can, or nothing was kept yet.
    Ok,
    /// It cannot.
    Unreadable,
    /// The hub has no data directory.
    None,
}

pub(super) const GET: Route = Route {
    summary: "The hub at a glance.",
    ..reads(
        "/status",
        "status-get",
        |ask| {
            Box::pin(async move {
                let administration = ask.administration;
                let hub = administration.hub();
                let mut servers = Servers::default();
                for server in hub.statuses(&Scope::All) {
                    let count = match server.state {
                        ServerState::Asleep => &mut servers.asleep,
                        ServerState::Starting => &mut servers.starting,
                        ServerState::Ready => &mut servers.ready,
                        ServerState::Failing => &mut servers.failing,
                    };
                    *count += 1;
                }
                let store = match administration.is_readable() {
                    None => Store::None,
                    Some(true) => Store::Ok,
                    Some(false) => Store::Unreadable,
                };
                let failing = servers.failing > 0 || matches!(store, Store::Unreadable);
                Done::ok(&Status {
                    version: env!("CARGO_PKG_VERSION"),
                    pid: std::process::id(),
                    state: if failing { State::Degraded } else { State::Ready },
                    sessions: hub.sessions().len(),
                    calls: hub.calls_in_flight(),
                    waiting_for_input: hub.parked(),
                    waiting_for_approval: hub.approvals().waiting().len(),
                    servers,
                    store,
                })
            })
        },
        |schemas| schemas.subschema_for::<Status>(),
    )
};
