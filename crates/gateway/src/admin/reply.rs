//! What a route answers: a status and JSON.

use http::StatusCode;
use serde::Serialize;

use crate::admin::problem::Problem;

/// What a route answers.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: StatusCode,
    pub(crate) json: String,
    /// What it was done to, for the audit log.
    pub(crate) what: Option<String>,
}

impl Done {
    /// 200 with `value`.
    pub(crate) fn ok(value: &impl Serialize) -> Result<Self, Problem> {
        Self::with(StatusCode::OK, value)
    }

    /// 201 with `value`.
    pub(crate) fn created(value: &impl Serialize) -> Result<Self, Problem> {
        Self::with(StatusCode::CREATED, value)
    }

    /// 204.
    pub(crate) const fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, json: String::new(), what: None }
    }

    /// Names what it was done to.
    pub(crate) fn about(mut self, what: impl Into<String>) -> Self {
        self.what = Some(what.into());
        self
    }

    fn with(status: StatusCode, value: &impl Serialize) -> Result<Self, Problem> {
        let json = serde_json::to_string(value)
            .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        Ok(Self { status, json, what: None })
    }
}
