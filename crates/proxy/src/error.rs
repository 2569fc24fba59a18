//! Why a server could not be reached, or its answer not be used.

use omni_egress::EgressError;
use omni_types::{Fault, FaultKind, ServerName};

/// A failure on a link to a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The child process could not be started.
    #[error("`{command}` cannot be started: {why}")]
    NotStarted {
        /// The program.
        command: String,
        /// Why.
        why: String,
    },
    /// What its entry refers to cannot be had.
    #[error("its secrets cannot be had: {why}")]
    Secrets {
        /// Which, and why.
        why: String,
    },
    /// The child process ended.
    #[error("its process ended ({how}){}", last_words(said))]
    Ended {
        /// Exit status or signal.
        how: String,
        /// Its last line on standard error.
        said: Option<String>,
    },
    /// The connection to it ended.
    #[error("its connection ended: {why}")]
    Disconnected {
        /// Who ended it, and what they said.
        why: String,
    },
    /// It wrote something that is no message.
    #[error("it broke the protocol: {0}")]
    Broken(String),
    /// It did not answer in time.
    #[error("no answer and no sign of progress within {seconds} s")]
    Timeout {
        /// The bound.
        seconds: u64,
    },
    /// It told of progress, but not of an end.
    #[error("no answer within {seconds} s, the longest that a call may last")]
    TooLong {
        /// The bound.
        seconds: u64,
    },
    /// It does not speak any revision that the hub speaks, or refused the handshake.
    #[error("it refused the handshake: {0}")]
    Handshake(String),
    /// The way to it is broken.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// It answered with an HTTP status that is no answer.
    #[error("it answered with HTTP status {status}{}", last_words(said))]
    Status {
        /// The status.
        status: u16,
        /// The beginning of the body, if it is text.
        said: Option<String>,
    },
    /// Its session is gone, although it was opened anew.
    #[error("it lost its session, twice in a row")]
    SessionLost,
    /// It failed again and again; the next attempt is some time off.
    #[error("it failed {failures} times in a row, last: {why}; next attempt in {seconds} s")]
    BackingOff {
        /// Failures in a row.
        failures: u32,
        /// Seconds until the next attempt.
        seconds: u64,
        /// The last failure.
        why: String,
    },
    /// Its calls failed again and again: its breaker is open.
    #[error("{failures} of its calls failed in a row, last: {why}; the breaker is open, next attempt in {seconds} s")]
    Open {
        /// Failures in a row.
        failures: usize,
        /// Seconds until the next attempt.
        seconds: u64,
        /// The last failure.
        why: String,
    },
    /// It holds as many calls as it may.
    #[error("{calls} calls are in flight, which is all it may have, and {waiting} waited already{}", waited(*seconds))]
    Full {
        /// Calls in flight.
        calls: usize,
        /// Calls that waited before this one.
        waiting: usize,
        /// Seconds that this one waited.
        seconds: u64,
    },
    /// Too many calls wait for it.
    #[error("too many calls wait for it")]
    Overloaded,
    /// The hub is stopping, or the server was removed from the configuration.
    #[error("it was stopped: the hub stops, or its entry was removed or changed")]
    Stopped,
}

fn waited(seconds: u64) -> String {
    if seconds == 0 { String::new() } else { format!("; none ended within {seconds} s") }
}

fn last_words(said: &Option<String>) -> String {
    said.as_ref().map(|s| format!("; it said: {s}")).unwrap_or_default()
}

impl LinkError {
    /// The fault of a call to `server`.
    #[must_use]
    pub fn fault(&self, server: &ServerName) -> Fault {
        let kind = match self {
            Self::Timeout { .. } | Self::TooLong { .. } => FaultKind::ServerTimeout,
            Self::Broken(_) | Self::Status { .. } | Self::Egress(EgressError::BodyTooLarge { .. }) => {
                FaultKind::ServerBroken
            }
            Self::Overloaded | Self::Full { .. } | Self::Egress(EgressError::PoolFull { .. }) => FaultKind::Busy,
            _ => FaultKind::ServerUnavailable,
        };
        Fault::new(kind, format!("server `{server}`: {self}"))
            .with_data(format!(r#"{{"server":"{server}","reason":"{}"}}"#, self.reason()))
    }

    /// One word for tables and programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotStarted { .. } => "not-started",
            Self::Secrets { .. } => "secrets",
            Self::Ended { .. } => "ended",
            Self::Disconnected { .. } => "disconnected",
            Self::Broken(_) => "broken",
            Self::Timeout { .. } | Self::TooLong { .. } => "timeout",
            Self::Handshake(_) => "handshake",
            Self::Overloaded | Self::Full { .. } | Self::Egress(EgressError::PoolFull { .. }) => "overloaded",
            Self::Egress(_) => "unreachable",
            Self::Status { .. } => "status",
            Self::SessionLost => "session-lost",
            Self::BackingOff { .. } => "backing-off",
            Self::Open { .. } => "open",
            Self::Stopped => "stopped",
        }
    }
}
