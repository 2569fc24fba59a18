//! What a person or a health check wants to know of one server (row DIAG-4).

use schemars::JsonSchema;
use serde::Serialize;

use crate::breaker::BreakerStatus;

/// What a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerState {
    /// Not started: it is started by the first call.
    Asleep,
    /// Being started or reached.
    Starting,
    /// Ready.
    Ready,
    /// It failed and is left alone for a while.
    Failing,
}

/// What is known of a server.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ServerStatus {
    /// Its name.
    pub name: String,
    /// `stdio` or `http`.
    pub transport: &'static str,
    /// What it is doing.
    pub state: ServerState,
    /// Why it is failing, in words.
    pub error: Option<String>,
    /// Revisions spoken on its links.
    pub revisions: Vec<&'static str>,
    /// Conversations that are open.
    pub links: usize,
    /// Calls in flight.
    pub calls: usize,
    /// Calls that wait for a place.
    pub calls_waiting: usize,
    /// Its circuit breaker.
    pub breaker: BreakerStatus,
    /// Milliseconds until it is tried again, while it is left alone.
    pub retry_after_ms: Option<u64>,
    /// Resources that clients are subscribed to.
    pub subscriptions: usize,
    /// Connections in use, for a server behind HTTP.
    pub connections_in_use: usize,
    /// Connections that wait, for a server behind HTTP.
    pub connections_idle: usize,
    /// Tools it offers.
    pub tools: usize,
    /// Prompts it offers.
    pub prompts: usize,
    /// Resources and templates it offers.
    pub resources: usize,
    /// What it is for.
    pub description: Option<String>,
}
