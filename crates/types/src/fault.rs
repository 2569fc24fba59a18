//! What went wrong with a call: whose fault it is, what the client may see, and what only the operator's log may see.

use std::fmt;
use std::time::Duration;

/// A failure of one call. `gateway` alone maps it to HTTP and JSON-RPC.
#[derive(Debug, Clone)]
pub struct Fault {
    kind: FaultKind,
    public: String,
    data: Option<String>,
    private: Option<String>,
    scopes: Vec<String>,
    retry_after: Option<Duration>,
}

/// The kinds of failure that clients can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The body is no JSON (JSON-RPC -32700).
    Unparsable,
    /// The message is no proper request (JSON-RPC -32600).
    InvalidRequest,
    /// The method is unknown here (JSON-RPC -32601).
    MethodNotFound,
    /// Parameters are missing or wrong (JSON-RPC -32602).
    InvalidParams,
    /// The arguments do not fit the tool: a tool execution error since 2025-11-25, JSON-RPC -32602 before.
    UnfitArguments,
    /// `_meta` or a member of it that 2026-07-28 requires is missing (JSON-RPC -32602 with HTTP 400).
    MissingMeta,
    /// A header contradicts the body (2026-07-28, -32020).
    HeaderMismatch,
    /// The client did not declare what the request needs (2026-07-28, -32021).
    MissingCapability,
    /// The revision is not spoken here (2026-07-28, -32022).
    UnsupportedVersion,
    /// No resource has this URI (-32002 before 2026-07-28, -32602 since).
    ResourceNotFound,
    /// The session is not known, or not any more (HTTP 404).
    SessionNotFound,
    /// A session is needed and none was named (HTTP 400).
    SessionRequired,
    /// Nobody has said who they are, or what they said does not hold (401).
    Unauthenticated,
    /// The token does not hold every scope that is needed (403 with a challenge, RFC 6750 section 3.1).
    InsufficientScope,
    /// Policy does not allow it (403).
    Denied,
    /// The caller's or the hub's share is used up (429).
    Busy,
    /// The body or a part of it is larger than the hub allows (413).
    TooLarge,
    /// The server behind cannot be reached, or left in the middle of the call (503).
    ServerUnavailable,
    /// The server behind did not answer in time (504).
    ServerTimeout,
    /// The server behind answered something that is no answer (502).
    ServerBroken,
    /// What the server asks for cannot be carried to this client (501).
    NotBridged,
    /// Its record cannot be made, and nothing may be done without one (503).
    NotRecorded,
    /// The client cancelled the call: nothing more is said about it.
    Cancelled,
    /// The hub's own mistake (JSON-RPC -32603).
    Internal,
}

impl FaultKind {
    /// The word for it in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unparsable => "unparsable",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
            Self::UnfitArguments => "unfit_arguments",
            Self::MissingMeta => "missing_meta",
            Self::HeaderMismatch => "header_mismatch",
            Self::MissingCapability => "missing_capability",
            Self::UnsupportedVersion => "unsupported_version",
            Self::ResourceNotFound => "resource_not_found",
            Self::SessionNotFound => "session_not_found",
            Self::SessionRequired => "session_required",
            Self::Unauthenticated => "unauthenticated",
            Self::InsufficientScope => "insufficient_scope",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::TooLarge => "too_large",
            Self::ServerUnavailable => "server_unavailable",
            Self::ServerTimeout => "server_timeout",
            Self::ServerBroken => "server_broken",
            Self::NotBridged => "not_bridged",
            Self::NotRecorded => "not_recorded",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The client's.
    Client,
    /// The server's behind the hub.
    Server,
    /// The hub's.
    Hub,
}

impl Fault {
    /// A fault with what the client may see.
    pub fn new(kind: FaultKind, public: impl Into<String>) -> Self {
        Self { kind, public: public.into(), data: None, private: None, scopes: Vec::new(), retry_after: None }
    }

    /// Adds the JSON text of the error's `data` member.
    #[must_use]
    pub fn with_data(mut self, json: impl Into<String>) -> Self {
        self.data = Some(json.into());
        self
    }

    /// Adds what only the operator's log may see.
    #[must_use]
    pub fn with_private(mut self, detail: impl Into<String>) -> Self {
        self.private = Some(detail.into());
        self
    }

    /// Adds all the scopes that a token would have to hold (with [`FaultKind::InsufficientScope`]).
    #[must_use]
    pub fn with_scopes(mut self, scopes: Vec<String>) -> Self {
        self.scopes = scopes;
        self
    }

    /// All the scopes that a token would have to hold.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Adds after what time the same may succeed.
    #[must_use]
    pub const fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// After what time the same may succeed.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What the client may see: one sentence.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The JSON text of the error's `data` member.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }

    /// What only the operator's log may see.
    #[must_use]
    pub fn private(&self) -> Option<&str> {
        self.private.as_deref()
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self.kind {
            FaultKind::ServerUnavailable | FaultKind::ServerTimeout | FaultKind::ServerBroken => Blame::Server,
            FaultKind::Internal | FaultKind::NotBridged | FaultKind::NotRecorded => Blame::Hub,
            _ => Blame::Client,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.public)?;
        if let Some(private) = &self.private {
            write!(f, " ({private})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
