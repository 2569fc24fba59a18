//! The OpenAPI 3.1 text, made from the table of routes: what it says is what is served.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::admin::problem::Problem;
use crate::admin::route::{BASE, Param, Route};
use crate::admin::routes::ROUTES;

/// Problems that every route has; some of them over TLS alone.
const EVERYWHERE: [u16; 6] = [400, 401, 403, 408, 429, 503];
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
            "description": "Served on the Unix socket `admin.sock` in the hub's data directory, to the user that runs the hub; and \
                            over TLS where `admin.listen` says, to who logs in and whom policy lets do what `x-omni-action` \
                            names. Times are seconds since 1970-01-01 UTC.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "http://localhost" }],
        // On the socket there is nothing to show: the system says who asks.
        "security": [{}, { "token": [] }, { "certificate": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "An access token, or an API key." },
                "certificate": { "type": "mutualTLS" }
            }
        }
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
    for status in EVERYWHERE.iter().chain(route.problems) {
        let content = json!({ "application/problem+json": { "schema": problem } });
        responses.insert(status.to_string(), json!({ "description": title(*status), "content": content }));
    }
    if route.request.is_some() {
        for status in [413, 415] {
            let content = json!({ "application/problem+json": { "schema": problem } });
            responses.insert(status.to_string(), json!({ "description": title(status), "content": content }));
        }
    }
    let (id, action) = (route.id, route.action.as_str());
    let mut operation =
        json!({ "operationId": id, "summary": route.summary, "x-omni-action": action, "responses": responses });
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
        assert_eq!(committed, openapi_text(), "run `omni schema --openapi > docs/admin-openapi.json`");
    }

    /// AUTH-7, TOOL-2: who may look may not change anything, unless policy says that too.
    #[test]
    fn tool_2_what_changes_anything_is_another_action_than_to_look() {
        for route in ROUTES {
            assert_eq!(route.changes(), route.action != omni_hub::Action::AdminRead, "{}", route.id);
        }
    }

    #[test]
    fn every_route_has_a_name_of_its_own_and_a_sentence() {
        let names: HashSet<&str> = ROUTES.iter().map(|route| route.id).collect();
        assert_eq!(names.len(), ROUTES.len());
        assert!(ROUTES.iter().all(|route| route.summary.ends_with('.')));
    }
}
