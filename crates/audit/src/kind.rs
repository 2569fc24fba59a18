//! The words of events: kinds, outcomes, phases, transports.

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Somebody was let in, or not (row AUTH-6).
    Authentication,
    /// Policy said no, or wanted a person's word (row TOOL-7).
    Decision,
    /// A tool, prompt or resource was used (row TOOL-6).
    Call,
    /// A person said yes or no to a call (row TOOL-7).
    Approval,
    /// A secret was resolved (row SEC-5).
    Secret,
    /// A profile was loaded or applied (row CFG-7).
    Profile,
    /// The hub started or stopped, the configuration changed, or a change of it was refused.
    Configuration,
    /// An administrator did something: keys, revocations, the database.
    Administration,
    /// Something befell the log itself: events were shed, a key was rotated, a torn end was set aside.
    Log,
}

/// All kinds.
pub const KINDS: [EventKind; 9] = [
    EventKind::Authentication,
    EventKind::Decision,
    EventKind::Call,
    EventKind::Approval,
    EventKind::Secret,
    EventKind::Profile,
    EventKind::Configuration,
    EventKind::Administration,
    EventKind::Log,
];

impl EventKind {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Decision => "decision",
            Self::Call => "call",
            Self::Approval => "approval",
            Self::Secret => "secret",
            Self::Profile => "profile",
            Self::Configuration => "configuration",
            Self::Administration => "administration",
            Self::Log => "log",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was not allowed.
    Denied,
    /// It was allowed and went wrong.
    Failed,
    /// Whoever asked for it let it go before it was done.
    Cancelled,
    /// It is about to be done; a second record says how it ended.
    Pending,
}

/// All outcomes.
pub const OUTCOMES: [Outcome; 5] =
    [Outcome::Success, Outcome::Denied, Outcome::Failed, Outcome::Cancelled, Outcome::Pending];

impl Outcome {
    /// The outcome's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Pending => "pending",
        }
    }

    /// The outcome of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        OUTCOMES.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// Which part of a call a record is about, where there are two of them (`audit.mode: strict`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It is about to be sent to its server.
    Begun,
    /// It is about to be answered.
    Ended,
}

impl Phase {
    /// The phase's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Ended => "ended",
        }
    }
}

/// How something came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
    /// WebSocket.
    WebSocket,
    /// stdio.
    Stdio,
    /// A command of this program (`omni call`).
    Command,
    /// The admin API.
    Admin,
}

impl Transport {
    /// The transport's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sse => "sse",
            Self::WebSocket => "websocket",
            Self::Stdio => "stdio",
            Self::Command => "command",
            Self::Admin => "admin",
        }
    }
}
