//! What went wrong, as `application/problem+json` (RFC 9457).

use omni_hub::{AdminError, StoreError};
use schemars::JsonSchema;
use serde::Serialize;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// The kind of problem: `about:blank`, so that the status says it.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The status in words.
    pub(crate) title: String,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    pub(crate) status: u16,
    /// What is wrong here, and what to do.
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(status: http::StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self { kind: "about:blank", title, status: status.as_u16(), detail: detail.into() }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(http::StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(http::StatusCode::NOT_FOUND, detail)
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let status = match &error {
            AdminError::Invalid(_) => http::StatusCode::BAD_REQUEST,
            AdminError::NotFound(_) => http::StatusCode::NOT_FOUND,
            AdminError::Conflict(_) => http::StatusCode::CONFLICT,
            AdminError::NothingIsKept | AdminError::NoRandomness => http::StatusCode::SERVICE_UNAVAILABLE,
            AdminError::Store(StoreError::Full(_)) => http::StatusCode::INSUFFICIENT_STORAGE,
            AdminError::Store(_) => http::StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
