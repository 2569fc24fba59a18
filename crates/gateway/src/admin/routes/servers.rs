//! `GET /servers`: each server and how it fares.

use omni_hub::{Scope, ServerStatus};
use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::reply::Done;
use crate::admin::route::{Route, reads};

/// The servers.
#[derive(Debug, Serialize, JsonSchema)]
struct Servers {
    /// In the order of the configuration.
    servers: Vec<ServerStatus>,
}

pub(super) const LIST: Route = Route {
    summary: "Each server and how it fares.",
    ..reads(
        "/servers",
        "servers-list",
        |ask| Box::pin(async move { Done::ok(&Servers { servers: ask.administration.hub().statuses(&Scope::All) }) }),
        |schemas| schemas.subschema_for::<Servers>(),
    )
};
