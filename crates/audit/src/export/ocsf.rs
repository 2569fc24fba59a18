//! An event as OCSF (Open Cybersecurity Schema Framework): Authentication (3002) for logins, API Activity (6003) for the rest.

use serde_json::{Map, Value as Json, json};

use crate::export::json::json as plain;
use crate::record::Value;
use crate::seen::{Seen, value_text};

/// The version of OCSF whose names these are.
const OCSF_VERSION: &str = "1.5.0";
const OTHER: u32 = 99;

/// An event as an OCSF object.
#[must_use]
pub fn ocsf(event: &Seen) -> Json {
    let mut object = if event.text("kind") == Some("authentication") { login(event) } else { activity(event) };
    object.insert("time".to_owned(), json!(event.time_us.div_euclid(1000)));
    object.insert("metadata".to_owned(), metadata(event));
    let outcome = event.text("outcome").unwrap_or_default();
    let (status_id, status, severity_id, severity) = match outcome {
        "success" => (1, "Success", 1, "Informational"),
        "denied" => (2, "Failure", 3, "Medium"),
        "failed" => (2, "Failure", 2, "Low"),
        "cancelled" => (OTHER, "cancelled", 1, "Informational"),
        _ => (0, "Unknown", 1, "Informational"),
    };
    object.insert("status_id".to_owned(), json!(status_id));
    object.insert("status".to_owned(), json!(status));
    object.insert("severity_id".to_owned(), json!(severity_id));
    object.insert("severity".to_owned(), json!(severity));
    if !outcome.is_empty() {
        object.insert("status_code".to_owned(), json!(outcome));
    }
    put(&mut object, "status_detail", event.text("reason"));
    if let Some(micros) = event.number("duration_us") {
        object.insert("duration".to_owned(), json!(micros / 1000));
    }
    // What has no name of OCSF's is kept under ours, so that nothing is lost.
    object.insert("unmapped".to_owned(), plain(event));
    Json::Object(object)
}

fn login(event: &Seen) -> Map<String, Json> {
    let (activity_id, activity) = match event.text("action") {
        Some("session/end") => (2, "Logoff"),
        _ => (1, "Logon"),
    };
    let mut object = class((3002, "Authentication"), (3, "Identity & Access Management"), (activity_id, activity));
    object.insert("user".to_owned(), user(event));
    object.insert("service".to_owned(), json!({ "name": "Omni MCP Hub" }));
    object.insert("src_endpoint".to_owned(), source(event));
    object.insert("is_remote".to_owned(), json!(event.text("address").is_some()));
    object
}

fn activity(event: &Seen) -> Map<String, Json> {
    let action = event.text("action").unwrap_or("unknown");
    let (activity_id, activity) = match action.rsplit('/').next().unwrap_or_default() {
        "create" | "open" => (1, "Create"),
        "read" | "get" | "list" | "resolve" | "load" | "read_resource" | "get_prompt" => (2, "Read"),
        "update" | "reload" | "rotate" | "rotate-key" | "apply" | "decide" => (3, "Update"),
        "delete" | "revoke" | "end" => (4, "Delete"),
        _ => (OTHER, action),
    };
    let mut object = class((6003, "API Activity"), (6, "Application Activity"), (activity_id, activity));
    let mut actor = Map::from_iter([("user".to_owned(), user(event))]);
    put(&mut actor, "app_name", event.text("client"));
    if let Some(decision) = event.text("decision") {
        let policies = match event.value("policies") {
            Some(Value::List(list)) if !list.is_empty() => list.as_slice(),
            _ => &[],
        };
        let mut decided: Vec<Json> =
            policies.iter().map(|policy| json!({ "decision": decision, "policy": { "uid": policy } })).collect();
        if decided.is_empty() {
            decided.push(json!({ "decision": decision }));
        }
        actor.insert("authorizations".to_owned(), json!(decided));
    }
    object.insert("actor".to_owned(), Json::Object(actor));
    let mut api = json!({ "operation": action });
    if let Some(server) = event.text("server") {
        api["service"] = json!({ "name": server });
    }
    if let Some(uid) = event.text("call").or(event.text("trace_id")) {
        api["request"] = json!({ "uid": uid });
    }
    if let Some(version) = event.text("revision") {
        api["version"] = json!(version);
    }
    object.insert("api".to_owned(), api);
    object.insert("src_endpoint".to_owned(), source(event));
    if let Some(name) = event.text("name") {
        let mut resource = json!({ "name": name });
        if let Some(server) = event.text("server") {
            resource["namespace"] = json!(server);
        }
        object.insert("resources".to_owned(), json!([resource]));
    }
    object
}

/// The class, and what was done in it.
fn class(
    (uid, name): (u32, &str),
    (category, category_name): (u32, &str),
    (activity, activity_name): (u32, &str),
) -> Map<String, Json> {
    let Json::Object(object) = json!({
        "class_uid": uid,
        "class_name": name,
        "category_uid": category,
        "category_name": category_name,
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": u64::from(uid) * 100 + u64::from(activity),
        "type_name": format!("{name}: {activity_name}"),
    }) else {
        return Map::new();
    };
    object
}

fn metadata(event: &Seen) -> Json {
    let product = json!({ "name": "Omni MCP Hub", "vendor_name": "Omni", "version": env!("CARGO_PKG_VERSION") });
    let mut metadata = json!({
        "version": OCSF_VERSION,
        "product": product,
        "log_name": "audit",
        "uid": event.id(),
        "sequence": event.index,
        "event_code": event.text("kind").unwrap_or("unknown"),
    });
    if let Some(trace) = event.text("trace_id") {
        metadata["correlation_uid"] = json!(trace);
    }
    if let Some(tenant) = event.text("tenant") {
        metadata["tenant_uid"] = json!(tenant);
    }
    metadata
}

fn user(event: &Seen) -> Json {
    let kind = event.text("principal_kind").unwrap_or("unknown");
    let (type_id, kind_name) = match kind {
        "system" => (3, "System"),
        "key" | "certificate" => (4, "Service"),
        "local" | "token" => (1, "User"),
        other => (OTHER, other),
    };
    // A user needs a name or an id: where both were erased, how they were known stands in their place.
    let name = event.text("principal").map_or_else(|| kind.to_owned(), str::to_owned);
    let mut user = json!({ "name": name, "type_id": type_id, "type": kind_name });
    if let Some(who) = event.who() {
        user["uid"] = json!(who);
    }
    if let Some(issuer) = event.text("issuer") {
        user["domain"] = json!(issuer);
    }
    user
}

fn source(event: &Seen) -> Json {
    let mut source = json!({ "svc_name": event.text("transport").unwrap_or("unknown") });
    if let Some(address) = event.value("address") {
        source["ip"] = json!(value_text(address));
    }
    source
}

fn put(object: &mut Map<String, Json>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        object.insert(name.to_owned(), json!(text));
    }
}
