//! Health: `/healthz` says that the process answers, `/readyz` that it can serve, with each server's state (DIAG-4).

use omni_hub::{Counted, Hub, Scope, ServerState, ServerStatus};
use serde::Serialize;

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    sessions: usize,
    calls: usize,
    /// Calls that wait for what their servers asked of their clients.
    waiting_for_input: usize,
    /// What was seen out of the ordinary since the hub started (SMET-3).
    anomalies: Counted,
    /// Tasks of the program that have not ended.
    tasks: usize,
    /// Left out for who need not know their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<Vec<ServerStatus>>,
}

/// JSON text of the hub's readiness, with its servers where `named`. A failing server makes the hub degraded, never unready:
/// the others serve.
pub(crate) fn ready(hub: &Hub, named: bool) -> String {
    let servers = hub.statuses(&Scope::All);
    let failing = servers.iter().any(|s| s.state == ServerState::Failing);
    let status = if failing { "degraded" } else { "ready" };
    let servers = named.then_some(servers);
    let (sessions, calls, waiting_for_input) = (hub.sessions().len(), hub.calls_in_flight(), hub.parked());
    let tasks = tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
    serde_json::to_string(&Ready {
        status,
        sessions,
        calls,
        waiting_for_input,
        anomalies: hub.counted(),
        tasks,
        servers,
    })
    .unwrap_or_else(|_| r#"{"status":"ready"}"#.to_owned())
}
