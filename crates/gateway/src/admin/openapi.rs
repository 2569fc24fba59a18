//! The OpenAPI 3.1 text, made from the table of routes: what it says is what is served.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::admin::problem::Problem;
use crate::admin::route::{BASE, Param, Route};
use crate::admin::routes::ROUTES;

/// Where schemas stand.
const SCHEMAS: &str = "/components/schemas";

/// The OpenAPI text of the admin API.
#[must_use]
pub fn openapi_text() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(format!("{BASE}{}", route.path)).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route, &mut schemas);
    }
    let text = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Omni MCP Hub: admin API",
            "version": "1",
            "description": "Served on the Unix socket `admin.sock` in the hub's data directory, to the user that runs the hub. \
                            Times are seconds since 1970-01-01 UTC.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "http://localhost" }],
        "paths": paths,
        "components": { "schemas": schemas.take_definitions(true) }
    });
    format!("{text:#}\n")
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let done = match route.response {
        Some(body) => json!({ "description": "Done.", "content": { "application/json": { "schema": body(schemas) } } }),
        None => json!({ "description": "Done." }),
    };
    responses.insert(route.status.to_string(), done);
    let problem = schemas.subschema_for::<Problem>();
    for status in [400, 503].iter().chain(route.problems) {
        let content = json!({ "application/problem+json": { "schema": problem } });
        responses.insert(status.to_string(), json!({ "description": title(*status), "content": content }));
    }
    if route.request.is_some() {
        for status in [413, 415] {
            let content = json!({ "application/problem+json": { "schema": problem } });
            responses.insert(status.to_string(), json!({ "description": title(status), "content": content }));
        }
    }
    let mut operation = json!({ "operationId": route.id, "summary": route.summary, "responses": responses });
    let mut parameters: Vec<Value> = route.query.iter().map(parameter).collect();
    if let Some((_, rest)) = route.path.split_once('{')
        && let Some((name, _)) = rest.split_once('}')
    {
        parameters.push(
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }),
        );
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = route.request {
        let content = json!({ "application/json": { "schema": body(schemas) } });
        operation["requestBody"] = json!({ "required": !route.request_optional, "content": content });
    }
    operation
}

fn parameter(param: &Param) -> Value {
    let schema: Value = serde_json::from_str(param.schema).unwrap_or_default();
    json!({ "name": param.name, "in": "query", "required": false, "description": param.what, "schema": schema })
}

fn title(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::openapi_text;
    use crate::admin::routes::ROUTES;

    #[test]
    fn gw_2_the_committed_text_is_what_is_served() {
        let committed = include_str!("../../../../docs/admin-openapi.json");
        assert_eq!(committed, openapi_text(), "run `omni schema --admin > docs/admin-openapi.json`");
    }

    #[test]
    fn every_route_has_a_name_of_its_own_and_a_sentence() {
        let names: HashSet<&str> = ROUTES.iter().map(|route| route.id).collect();
        assert_eq!(names.len(), ROUTES.len());
        assert!(ROUTES.iter().all(|route| route.summary.ends_with('.')));
    }
}
