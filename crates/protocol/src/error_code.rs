//! Error codes on the wire (JSON-RPC 2.0 section 5.1; schema.ts of 2026-07-28; section 1.6 of our protocol notes).

/// A JSON-RPC error code that the hub writes or recognizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// Invalid JSON.
    pub const PARSE: Self = Self(-32700);
    /// Not a proper request object.
    pub const INVALID_REQUEST: Self = Self(-32600);
    /// Unknown method.
    pub const METHOD_NOT_FOUND: Self = Self(-32601);
    /// Wrong parameters.
    pub const INVALID_PARAMS: Self = Self(-32602);
    /// Internal error.
    pub const INTERNAL: Self = Self(-32603);
    /// Resource not found (revisions up to 2025-11-25).
    pub const RESOURCE_NOT_FOUND: Self = Self(-32002);
    /// A header contradicts the body (2026-07-28).
    pub const HEADER_MISMATCH: Self = Self(-32020);
    /// A client capability is missing (2026-07-28).
    pub const MISSING_CLIENT_CAPABILITY: Self = Self(-32021);
    /// The revision is not supported (2026-07-28).
    pub const UNSUPPORTED_VERSION: Self = Self(-32022);
    // The hub's own codes are HTTP status numbers: outside the range that JSON-RPC reserves, so that none can be
    // taken for a code of the server behind.
    /// Nobody has said who they are, or what they said does not hold.
    pub const UNAUTHENTICATED: Self = Self(401);
    /// Policy does not allow the call.
    pub const DENIED: Self = Self(403);
    /// A bound on size.
    pub const TOO_LARGE: Self = Self(413);
    /// A share is used up.
    pub const BUSY: Self = Self(429);
    /// The hub cannot carry to this client what the server asks for.
    pub const NOT_BRIDGED: Self = Self(501);
    /// The server behind broke the protocol.
    pub const SERVER_BROKEN: Self = Self(502);
    /// The server behind is not there.
    pub const SERVER_UNAVAILABLE: Self = Self(503);
    /// The server behind did not answer in time.
    pub const SERVER_TIMEOUT: Self = Self(504);

    /// Whether only a server of 2026-07-28 answers so; then it is no sign of an older one.
    #[must_use]
    pub const fn is_modern(self) -> bool {
        matches!(self, Self::HEADER_MISMATCH | Self::MISSING_CLIENT_CAPABILITY | Self::UNSUPPORTED_VERSION)
    }
}
