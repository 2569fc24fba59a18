//! `/cache`: what is kept to be given again, and its being forgotten.

use omni_hub::{Action, CacheFigures};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::problem::Problem;
use crate::admin::reply::Done;
use crate::admin::route::{Route, Verb, reads};

/// Characters of a server's name.
const SERVER_CHARS_MAX: usize = 32;
/// Characters of a resource's URI.
const URI_CHARS_MAX: usize = 8_192;

/// What is to be forgotten; everything where nothing is said.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Purge {
    /// What is kept of this server alone.
    #[serde(default)]
    #[schemars(length(min = 1, max = SERVER_CHARS_MAX))]
    server: Option<String>,
    /// This resource of the server's alone, under the server's own name for it.
    #[serde(default)]
    #[schemars(length(min = 1, max = URI_CHARS_MAX))]
    uri: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
struct Purged {
    /// Things that were forgotten.
    forgotten: u64,
}

pub(super) const GET: Route = Route {
    summary: "What was counted of the cache, and what it holds now.",
    ..reads(
        "/cache",
        "cache-get",
        |ask| Box::pin(async move { Done::ok(&ask.administration.hub().cache_figures()) }),
        |schemas| schemas.subschema_for::<CacheFigures>(),
    )
};

pub(super) const PURGE: Route = Route {
    method: Verb::Post,
    action: Action::AdminConfiguration,
    summary: "Forgets what is kept: all of it, what is a server's, or one resource.",
    request: Some(|schemas| schemas.subschema_for::<Purge>()),
    problems: &[422],
    ..reads(
        "/cache/purge",
        "cache-purge",
        |ask| {
            Box::pin(async move {
                let Purge { server, uri } = ask.body()?;
                let holds = |text: &Option<String>, most| {
                    text.as_ref().is_none_or(|text| (1..=most).contains(&text.chars().count()))
                };
                if !holds(&server, SERVER_CHARS_MAX) || !holds(&uri, URI_CHARS_MAX) {
                    let why = format!("`server` has 1 to {SERVER_CHARS_MAX} characters, `uri` 1 to {URI_CHARS_MAX}");
                    return Err(Problem::invalid(why));
                }
                if uri.is_some() && server.is_none() {
                    return Err(Problem::invalid(
                        "`uri` names a resource of a server: say `server` as well".to_owned(),
                    ));
                }
                let forgotten = ask.administration.hub().forget_kept(server.as_deref(), uri.as_deref());
                Done::ok(&Purged { forgotten })
            })
        },
        |schemas| schemas.subschema_for::<Purged>(),
    )
};
