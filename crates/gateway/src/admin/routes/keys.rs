//! `/keys`: API keys are listed, made, rotated and revoked.

use omni_hub::{Action, ApiKeyRow, Grants, KeyRequest, MadeKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::problem::Problem;
use crate::admin::reply::Done;
use crate::admin::request::next_cursor;
use crate::admin::route::{PAGE, Route, Verb, reads};

/// A key, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
struct Key {
    /// Its public part: `omni_ID_…`.
    id: String,
    /// Whose identity it gives; policies call it `key:NAME`.
    name: String,
    /// Who answers for it.
    owner: String,
    /// The tenant it belongs to.
    tenant: Option<String>,
    groups: Vec<String>,
    roles: Vec<String>,
    permissions: Vec<String>,
    /// Servers it is for; all where this is empty.
    servers: Vec<String>,
    created_at: i64,
    created_by: String,
    /// From when on it is refused.
    expires_at: Option<i64>,
    /// Since when it is refused.
    revoked_at: Option<i64>,
    /// When it was last used, within about a minute.
    last_used_at: Option<i64>,
}

/// Keys, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Keys {
    keys: Vec<Key>,
    /// For the next page; not there on the last.
    next_cursor: Option<String>,
}

/// A key that was made.
#[derive(Debug, Serialize, JsonSchema)]
struct NewKey {
    key: Key,
    /// The key itself. It is shown now and never again.
    secret: String,
}

/// The keys that were revoked.
#[derive(Debug, Serialize, JsonSchema)]
struct RevokedKeys {
    revoked: Vec<Key>,
}

/// A key that is wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    /// Whose identity it gives: letters, digits, `.`, `_`, `-`, `@`.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[0-9A-Za-z._@-]+$"))]
    name: String,
    /// Who answers for it; without one, who asks.
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    permissions: Vec<String>,
    /// Servers it is for; all where this is empty.
    #[serde(default)]
    servers: Vec<String>,
    /// Seconds that it lives; for ever without.
    #[serde(default)]
    #[schemars(range(min = 1, max = 316_224_000))]
    expires_in_s: Option<i64>,
}

/// How a key is rotated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RotateKey {
    /// Seconds that the key before lives on.
    #[schemars(range(min = 0, max = 7_776_000))]
    overlap_s: i64,
    /// Seconds that the new key lives; without, as long as the one before was made to.
    #[schemars(range(min = 1, max = 316_224_000))]
    expires_in_s: Option<i64>,
}

/// A day.
const OVERLAP_S: i64 = 24 * 3600;

impl Default for RotateKey {
    fn default() -> Self {
        Self { overlap_s: OVERLAP_S, expires_in_s: None }
    }
}

impl From<ApiKeyRow> for Key {
    fn from(row: ApiKeyRow) -> Self {
        let Grants { groups, roles, permissions, servers } = serde_json::from_str(&row.grants).unwrap_or_default();
        Self {
            id: row.id,
            name: row.name,
            owner: row.owner,
            tenant: row.tenant,
            groups,
            roles,
            permissions,
            servers,
            created_at: row.created_at,
            created_by: row.created_by,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        }
    }
}

fn made(made: MadeKey) -> Result<Done, Problem> {
    let what = format!("{} {}", made.row.name, made.row.id);
    Ok(Done::created(&NewKey { key: made.row.into(), secret: made.secret.text })?.about(what))
}

pub(super) const LIST: Route = Route {
    summary: "API keys, oldest first, without their secrets.",
    query: PAGE,
    ..reads(
        "/keys",
        "keys-list",
        |ask| {
            Box::pin(async move {
                let page = ask.page()?;
                let rows = ask.administration.keys(&page).await?;
                let next = next_cursor(&page, rows.len(), rows.last().map(|row| (row.created_at, row.id.as_str())));
                Done::ok(&Keys { keys: rows.into_iter().map(Key::from).collect(), next_cursor: next })
            })
        },
        |schemas| schemas.subschema_for::<Keys>(),
    )
};

pub(super) const CREATE: Route = Route {
    method: Verb::Post,
    action: Action::AdminKeys,
    summary: "Makes an API key.",
    request: Some(|schemas| schemas.subschema_for::<CreateKey>()),
    status: 201,
    problems: &[409, 507],
    ..reads(
        "/keys",
        "keys-create",
        |ask| {
            Box::pin(async move {
                let wanted: CreateKey = ask.body()?;
                let CreateKey { groups, roles, permissions, servers, .. } = wanted;
                let request = KeyRequest {
                    name: wanted.name,
                    owner: wanted.owner,
                    tenant: wanted.tenant,
                    grants: Grants { groups, roles, permissions, servers },
                    life_s: wanted.expires_in_s,
                };
                made(ask.administration.create_key(request, &ask.by.to_string()).await?)
            })
        },
        |schemas| schemas.subschema_for::<NewKey>(),
    )
};

pub(super) const ROTATE: Route = Route {
    method: Verb::Post,
    action: Action::AdminKeys,
    summary: "Makes a successor of a key, which lives on for a while.",
    request: Some(|schemas| schemas.subschema_for::<RotateKey>()),
    request_optional: true,
    status: 201,
    problems: &[404, 409, 507],
    ..reads(
        "/keys/{key}/rotate",
        "keys-rotate",
        |ask| {
            Box::pin(async move {
                let RotateKey { overlap_s, expires_in_s } = ask.body_or_default()?;
                let by = ask.by.to_string();
                made(ask.administration.rotate_key(&ask.named, overlap_s, expires_in_s, &by).await?)
            })
        },
        |schemas| schemas.subschema_for::<NewKey>(),
    )
};

pub(super) const REVOKE: Route = Route {
    method: Verb::Delete,
    action: Action::AdminKeys,
    summary: "Revokes the key of that id, or all keys of that name, at once.",
    problems: &[404, 507],
    ..reads(
        "/keys/{key}",
        "keys-revoke",
        |ask| {
            Box::pin(async move {
                let rows = ask.administration.revoke_key(&ask.named).await?;
                Done::ok(&RevokedKeys { revoked: rows.into_iter().map(Key::from).collect() })
            })
        },
        |schemas| schemas.subschema_for::<RevokedKeys>(),
    )
};
