//! What happened, in the words that the audit log keeps.

use std::time::Duration;

/// One event. Build it with [`Event::new`] and add what is known; never a secret, and no argument in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What kind of thing happened.
    pub kind: EventKind,
    /// What was done, as policies name it: `tools/call`, `keys/create`.
    pub action: String,
    /// What it was done to.
    pub resource: Option<Resource>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended so, in a sentence for the operator.
    pub reason: Option<String>,
    /// SHA-256 of the arguments' bytes as they came.
    pub arguments_sha256: Option<[u8; 32]>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// The trace id (W3C, 32 hexadecimal digits) that the log lines of the same request carry.
    pub trace_id: Option<String>,
    /// Further facts, by name: `policy`, `address`, `client`, `method`. Bounded by whoever adds them.
    pub facts: Vec<(&'static str, String)>,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Somebody was let in, or not (row AUTH-6).
    Authentication,
    /// Policy said yes or no (row TOOL-7).
    Decision,
    /// A tool, prompt or resource was used (row TOOL-6).
    Call,
    /// A secret was resolved (row SEC-5).
    Secret,
    /// A profile was loaded or applied (row CFG-7).
    Profile,
    /// The configuration changed.
    Configuration,
    /// An administrator did something: keys, revocations, approvals.
    Administration,
}

impl EventKind {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Decision => "decision",
            Self::Call => "call",
            Self::Secret => "secret",
            Self::Profile => "profile",
            Self::Configuration => "configuration",
            Self::Administration => "administration",
        }
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
}

impl Outcome {
    /// The outcome's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The MCP server, where it belongs to one.
    pub server: Option<String>,
    /// The tool, prompt, URI, key, profile.
    pub name: String,
}

impl Event {
    /// An event of which only this is known.
    pub fn new(kind: EventKind, action: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            kind,
            action: action.into(),
            resource: None,
            outcome,
            reason: None,
            arguments_sha256: None,
            duration: None,
            trace_id: None,
            facts: Vec::new(),
        }
    }

    /// Adds what it was done to: `name`, of `server` where it belongs to one.
    #[must_use]
    pub fn on(mut self, server: Option<&str>, name: impl Into<String>) -> Self {
        self.resource = Some(Resource { server: server.map(str::to_owned), name: name.into() });
        self
    }

    /// Adds why it ended so.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds a further fact.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((name, value.into()));
        self
    }
}
