//! Why nobody is taken for the sender of a request: in the words of RFC 6750, and what only the operator may read.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// No token came (401, without an error: RFC 6750 section 3.1).
    Missing,
    /// The request cannot be read (400 `invalid_request`).
    Malformed,
    /// The token is none, is not for here, or not any more (401 `invalid_token`).
    Invalid,
    /// The token's proof of possession is missing or wrong (401 `invalid_dpop_proof`).
    BadProof,
    /// The proof has to carry the nonce that comes with the refusal (401 `use_dpop_nonce`).
    WantsNonce,
    /// The token does not reach as far (403 `insufficient_scope`).
    Scope,
    /// Too many logins failed where this one comes from (429).
    TooMany,
    /// Nobody can tell at the moment: the provider does not answer (503).
    Unavailable,
}

/// Why nobody is taken for the sender of a request.
#[derive(Debug, Clone)]
pub struct Refusal {
    kind: RefusalKind,
    public: Cow<'static, str>,
    private: Option<String>,
    scopes: Vec<String>,
    nonce: Option<String>,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(kind: RefusalKind, public: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, public: public.into(), private: None, scopes: Vec::new(), nonce: None, retry_after: None }
    }

    /// No token came; `public` says how to get one.
    #[must_use]
    pub fn missing(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Missing, public)
    }

    /// The request cannot be read.
    #[must_use]
    pub fn malformed(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Malformed, public)
    }

    /// The token is no good. What `public` says must not tell a forger which check failed where that helps him.
    #[must_use]
    pub fn invalid(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::Invalid, public)
    }

    /// The proof of possession is no good.
    #[must_use]
    pub fn bad_proof(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalKind::BadProof, public)
    }

    /// The proof has to carry `nonce`.
    #[must_use]
    pub fn wants_nonce(nonce: String) -> Self {
        let public = "the DPoP proof has to carry the nonce of the header DPoP-Nonce";
        Self { nonce: Some(nonce), ..Self::new(RefusalKind::WantsNonce, public) }
    }

    /// The token lacks a scope; `scopes` are all that are needed.
    #[must_use]
    pub fn scope(scopes: Vec<String>) -> Self {
        let public = format!("the token must have the scopes `{}`: log in again and ask for them", scopes.join(" "));
        Self { scopes, ..Self::new(RefusalKind::Scope, public) }
    }

    /// Too many failed from there: what was wrong with this one is not told before `wait` is over.
    #[must_use]
    pub fn too_many(public: impl Into<Cow<'static, str>>, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..Self::new(RefusalKind::TooMany, public) }
    }

    /// Nobody can tell at the moment.
    #[must_use]
    pub fn unavailable(private: impl Into<String>) -> Self {
        Self::new(RefusalKind::Unavailable, "tokens cannot be checked at the moment: try again").because(private)
    }

    /// Adds what only the operator's log may see.
    #[must_use]
    pub fn because(mut self, private: impl Into<String>) -> Self {
        self.private = Some(private.into());
        self
    }

    /// What kind of refusal it is.
    #[must_use]
    pub const fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// What the client may see: one sentence.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// All scopes that are needed.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// The nonce to prove with.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// After what time it may be tried again.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether something was shown that is no good: a guess may be behind it. To show nothing, to be asked for a nonce or a
    /// wider token is how logins go.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.kind, RefusalKind::Malformed | RefusalKind::Invalid | RefusalKind::BadProof)
    }

    /// The error code of RFC 6750 and RFC 9449.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self.kind {
            RefusalKind::Missing | RefusalKind::TooMany | RefusalKind::Unavailable => None,
            RefusalKind::Malformed => Some("invalid_request"),
            RefusalKind::Invalid => Some("invalid_token"),
            RefusalKind::BadProof => Some("invalid_dpop_proof"),
            RefusalKind::WantsNonce => Some("use_dpop_nonce"),
            RefusalKind::Scope => Some("insufficient_scope"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)?;
        if let Some(private) = &self.private {
            write!(f, " ({private})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
