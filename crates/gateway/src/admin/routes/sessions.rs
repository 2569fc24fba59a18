//! `GET /sessions`: how many sessions clients have, and whose.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::reply::Done;
use crate::admin::route::{Route, reads};

/// Callers that are named.
const PRINCIPALS_MAX: usize = 1_000;

/// Sessions of clients.
#[derive(Debug, Serialize, JsonSchema)]
struct Sessions {
    /// How many there are.
    count: usize,
    /// Whose they are; at most 1000 callers, those with the most sessions first.
    principals: Vec<Holder>,
}

/// A caller's sessions.
#[derive(Debug, Serialize, JsonSchema)]
struct Holder {
    /// The caller.
    principal: String,
    /// Who vouches for their name.
    issuer: Option<String>,
    /// Their sessions.
    sessions: usize,
}

pub(super) const LIST: Route = Route {
    summary: "How many sessions clients have, and whose.",
    ..reads(
        "/sessions",
        "sessions-list",
        |ask| {
            Box::pin(async move {
                let all = ask.administration.hub().sessions().all();
                let mut by_holder: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
                for session in &all {
                    let principal = &session.principal;
                    *by_holder.entry((principal.to_string(), principal.issuer().map(str::to_owned))).or_default() += 1;
                }
                let mut principals: Vec<Holder> = by_holder
                    .into_iter()
                    .map(|((principal, issuer), sessions)| Holder { principal, issuer, sessions })
                    .collect();
                principals.sort_by_key(|holder| std::cmp::Reverse(holder.sessions));
                principals.truncate(PRINCIPALS_MAX);
                Done::ok(&Sessions { count: all.len(), principals })
            })
        },
        |schemas| schemas.subschema_for::<Sessions>(),
    )
};
