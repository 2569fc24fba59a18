//! Health: `/healthz` says that the process answers, `/readyz` that it can serve, with each server's state (DIAG-4).

use omni_audit::Condition;
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
    /// How the audit log does.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<AuditCondition>,
    /// Left out for who need not know their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<Vec<ServerStatus>>,
}

#[derive(Serialize)]
struct AuditCondition {
    mode: &'static str,
    /// Whether it cannot be written.
    failing: bool,
    /// Why, for who may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Records that are durable.
    records: u64,
    /// Events that wait to be written.
    waiting: u64,
    /// Events that were not recorded since the hub started.
    shed: u64,
}

impl AuditCondition {
    fn of(condition: Condition) -> Self {
        let Condition { mode, failing, records, waiting, shed } = condition;
        Self { mode, failing: failing.is_some(), why: failing, records, waiting, shed }
    }
}

/// JSON text of the hub's readiness, with its servers where `named`. A failing server makes the hub degraded, never unready:
/// the others serve.
pub(crate) fn ready(hub: &Hub, named: bool) -> String {
    let servers = hub.statuses(&Scope::All);
    let failing = servers.iter().any(|s| s.state == ServerState::Failing);
    let audit = hub.audit().condition().map(AuditCondition::of);
    let unrecorded = audit.as_ref().is_some_and(|audit| audit.failing);
    let audit = audit.map(|audit| AuditCondition { why: audit.why.filter(|_| named), ..audit });
    let status = if failing || unrecorded { "degraded" } else { "ready" };
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
        audit,
        servers,
    })
    .unwrap_or_else(|_| r#"{"status":"ready"}"#.to_owned())
}
