//! What happened, in the words that the audit log keeps.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use omni_telemetry::TraceId;
use omni_types::ServerName;

use crate::field::{FieldName, FieldValue};
use crate::kind::{EventKind, Outcome, Phase, Transport};

/// One event. Build it with [`Event::new`] and add what is known; never a secret. Whoever records it pays for little more than
/// moving it: texts are made of it where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What kind of thing happened.
    pub kind: EventKind,
    /// What was done, as policies name it: `tools/call`, `keys/create`.
    pub action: Cow<'static, str>,
    /// What it was done to.
    pub resource: Option<Resource>,
    /// How it ended.
    pub outcome: Outcome,
    /// Which part of a call it is about, and which call; `None` where there is but one record of it.
    pub phase: Option<(Phase, u128)>,
    /// Why it ended so, in a sentence for the operator.
    pub reason: Option<String>,
    /// SHA-256 of the arguments' bytes as they came.
    pub arguments_sha256: Option<[u8; 32]>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// The trace id that the log lines of the same request carry.
    pub trace_id: Option<TraceId>,
    /// From where it came.
    pub origin: Origin,
    /// The ids of the policies that allowed it: the decision's own, so that a call costs a counter.
    pub permits: Option<Arc<[String]>>,
    /// Further facts.
    pub facts: Vec<(FieldName, FieldValue)>,
}

/// From where something came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of who spoke; `None` where it came over no network.
    pub address: Option<IpAddr>,
    /// How it came in.
    pub transport: Option<Transport>,
    /// The revision of MCP that was spoken.
    pub revision: Option<&'static str>,
    /// What the client program says of itself: JSON text of its `clientInfo`.
    pub client_info: Option<Arc<str>>,
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The MCP server, where it belongs to one.
    pub server: Option<ServerName>,
    /// The tool, prompt, URI, key, profile.
    pub name: String,
}

impl Event {
    /// An event of which only this is known.
    pub fn new(kind: EventKind, action: impl Into<Cow<'static, str>>, outcome: Outcome) -> Self {
        Self {
            kind,
            action: action.into(),
            resource: None,
            outcome,
            phase: None,
            reason: None,
            arguments_sha256: None,
            duration: None,
            trace_id: None,
            origin: Origin::default(),
            permits: None,
            facts: Vec::new(),
        }
    }

    /// Adds what it was done to: `name`, of `server` where it belongs to one.
    #[must_use]
    pub fn on(mut self, server: Option<&ServerName>, name: impl Into<String>) -> Self {
        self.resource = Some(Resource { server: server.cloned(), name: name.into() });
        self
    }

    /// Adds why it ended so.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds from where it came.
    #[must_use]
    pub fn from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Adds a further fact. One of a class that is never written down, or of another form than the field's, is left out.
    #[must_use]
    pub fn fact(mut self, name: FieldName, value: impl Into<FieldValue>) -> Self {
        self.facts.push((name, value.into()));
        self
    }
}
