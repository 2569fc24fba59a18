//! Bounds of the hub as a whole.

use std::time::Duration;

/// Bounds of the hub as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls in flight.
    pub calls_max: usize,
    /// Sessions at a time.
    pub sessions_max: usize,
    /// After which a session without a sign of its client ends.
    pub session_idle_timeout: Duration,
    /// How long what was sent to a session is kept, and a call whose client has gone goes on.
    pub resume_window: Duration,
    /// How long a first list waits for servers that are still waking; later they are added by `list_changed`.
    pub settle_wait: Duration,
    /// How long a call waits for what its server asked of the client, before it is cancelled.
    pub input_wait: Duration,
    /// Calls that wait so, of clients of 2026-07-28 on servers of an earlier revision.
    pub parked_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_max: 4_096,
            sessions_max: 10_000,
            session_idle_timeout: Duration::from_secs(3600),
            resume_window: Duration::from_secs(60),
            settle_wait: Duration::from_secs(10),
            input_wait: Duration::from_secs(600),
            parked_max: 1_024,
        }
    }
}
