//! `GET /openapi.json`: this API, told.

use http::StatusCode;

use crate::admin::reply::Done;
use crate::admin::route::{Route, reads};

pub(super) const GET: Route = Route {
    summary: "This API as OpenAPI 3.1.",
    ..reads(
        "/openapi.json",
        "openapi-get",
        |ask| {
            let done = Done { status: StatusCode::OK, json: (ask.openapi)(), what: None };
            Box::pin(std::future::ready(Ok(done)))
        },
        |_| schemars::json_schema!({ "type": "object", "required": ["openapi"] }),
    )
};
