//! `/revocations`: tokens that others gave out are refused from now on, or not any more.

use omni_hub::{Action, RevocationRow, RevokeRequest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::reply::Done;
use crate::admin::request::next_cursor;
use crate::admin::route::{PAGE, Route, Verb, reads};

/// A revocation.
#[derive(Debug, Serialize, JsonSchema)]
struct Revocation {
    id: String,
    /// What `value` is.
    kind: String,
    /// Whose tokens.
    issuer: String,
    /// The token's `jti`, or the subject.
    value: String,
    /// Why.
    reason: String,
    /// When it was done. Of a subject, tokens that were issued later are taken.
    revoked_at: i64,
    revoked_by: String,
    /// From when on it is not needed, since the token has expired.
    until_at: Option<i64>,
}

/// Revocations, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Revocations {
    revocations: Vec<Revocation>,
    /// For the next page; not there on the last.
    next_cursor: Option<String>,
}

/// What is to be refused: `jti` or `subject`, one of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revoke {
    /// One token.
    #[serde(default)]
    #[schemars(length(min = 1, max = 512))]
    jti: Option<String>,
    /// All of a subject's tokens that were issued up to now.
    #[serde(default)]
    #[schemars(length(min = 1, max = 512))]
    subject: Option<String>,
    /// Whose tokens; may be left out where the hub takes tokens of one issuer only.
    #[serde(default)]
    #[schemars(length(min = 1, max = 512))]
    issuer: Option<String>,
    /// Why.
    #[serde(default)]
    #[schemars(length(max = 512))]
    reason: String,
    /// Seconds after which the token has expired anyway; for ever without.
    #[serde(default)]
    #[schemars(range(min = 1))]
    for_s: Option<i64>,
}

impl From<RevocationRow> for Revocation {
    fn from(row: RevocationRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            issuer: row.issuer,
            value: row.value,
            reason: row.reason,
            revoked_at: row.revoked_at,
            revoked_by: row.revoked_by,
            until_at: row.until_at,
        }
    }
}

pub(super) const LIST: Route = Route {
    summary: "Revocations of tokens, oldest first.",
    query: PAGE,
    ..reads(
        "/revocations",
        "revocations-list",
        |ask| {
            Box::pin(async move {
                let page = ask.page()?;
                let rows = ask.administration.revocations(&page).await?;
                let next = next_cursor(&page, rows.len(), rows.last().map(|row| (row.revoked_at, row.id.as_str())));
                let revocations = rows.into_iter().map(Revocation::from).collect();
                Done::ok(&Revocations { revocations, next_cursor: next })
            })
        },
        |schemas| schemas.subschema_for::<Revocations>(),
    )
};

pub(super) const CREATE: Route = Route {
    method: Verb::Post,
    action: Action::AdminTokens,
    summary: "Revokes one token, or all tokens of a subject, at once.",
    request: Some(|schemas| schemas.subschema_for::<Revoke>()),
    status: 201,
    problems: &[507],
    ..reads(
        "/revocations",
        "revocations-create",
        |ask| {
            Box::pin(async move {
                let Revoke { jti, subject, issuer, reason, for_s } = ask.body()?;
                let request = RevokeRequest { jti, subject, issuer, reason, for_s };
                let row = ask.administration.revoke(request, &ask.by.to_string()).await?;
                let what = format!("{} {} of {}", row.kind, row.value, row.issuer);
                Ok(Done::created(&Revocation::from(row))?.about(what))
            })
        },
        |schemas| schemas.subschema_for::<Revocation>(),
    )
};

pub(super) const REMOVE: Route = Route {
    method: Verb::Delete,
    action: Action::AdminTokens,
    summary: "Takes a revocation back.",
    status: 204,
    response: None,
    problems: &[404, 507],
    ..reads(
        "/revocations/{revocation}",
        "revocations-remove",
        |ask| {
            Box::pin(async move {
                ask.administration.unrevoke(&ask.named).await?;
                Ok(Done::nothing())
            })
        },
        |schemas| schemas.subschema_for::<Revocation>(),
    )
};
