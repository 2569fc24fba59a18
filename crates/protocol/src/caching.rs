//! How long an answer may be kept, and for whom (server/utilities/caching of 2026-07-28).

/// `ttlMs` and `cacheScope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheHint {
    /// Milliseconds.
    pub ttl_ms: u64,
    /// Whether one caller's answer may serve another.
    pub public: bool,
}

impl CacheHint {
    /// Not to be kept: what the hub says where the server behind said nothing.
    pub const NONE: Self = Self { ttl_ms: 0, public: false };

    /// The two members as JSON text, without braces.
    #[must_use]
    pub fn members(self) -> String {
        format!(r#""ttlMs":{},"cacheScope":"{}""#, self.ttl_ms, if self.public { "public" } else { "private" })
    }
}
