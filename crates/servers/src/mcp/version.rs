//! The revisions of the protocol: which one a request speaks, and what its answer must carry.

use serde_json::{Map, Value, json};

use crate::mcp::message::{Fault, INVALID_PARAMS, UNSUPPORTED_VERSION};
use crate::mcp::server::Server;

/// The revision without sessions.
pub(crate) const MODERN: &str = "2026-07-28";
/// The revisions with `initialize`, oldest first.
pub(crate) const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The last revision in which a message may be an array of messages.
const BATCHES_UNTIL: &str = "2025-03-26";

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
/// Names the subscription a message belongs to.
pub(crate) const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// How long a client may keep what is fixed for the life of the process, in milliseconds.
const FIXED_TTL_MS: u64 = 3_600_000;
/// How long a client may keep what is read from the world (resources), in milliseconds.
const READ_TTL_MS: u64 = 5_000;

/// Whether a request stands alone or belongs to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    Modern,
    Legacy,
}

/// Decides the era of one request. `in_session` tells whether `initialize` was answered.
pub(crate) fn era_of(method: &str, params: &Map<String, Value>, in_session: bool) -> Result<Era, Fault> {
    let meta = params.get("_meta").and_then(Value::as_object);
    let Some(version) = meta.and_then(|meta| meta.get(VERSION_KEY)) else {
        // A ping may come before the session; server/discover never belongs to one.
        if method == "initialize" || method == "ping" || (in_session && method != "server/discover") {
            return Ok(Era::Legacy);
        }
        return Err(Fault::new(
            INVALID_PARAMS,
            format!("params._meta['{VERSION_KEY}'] is missing (revisions before {MODERN} send 'initialize' first)"),
        ));
    };
    match version.as_str() {
        Some(MODERN) => {}
        Some(other) => {
            return Err(Fault::new(UNSUPPORTED_VERSION, "Unsupported protocol version")
                .with(json!({ "supported": [MODERN], "requested": other })));
        }
        None => return Err(Fault::new(INVALID_PARAMS, format!("params._meta['{VERSION_KEY}'] must be a string"))),
    }
    if !meta.and_then(|meta| meta.get(CAPABILITIES_KEY)).is_some_and(Value::is_object) {
        return Err(Fault::new(INVALID_PARAMS, format!("params._meta['{CAPABILITIES_KEY}'] must be an object")));
    }
    Ok(Era::Modern)
}

/// The revision of a session: the one asked for where it is known, else the newest.
pub(crate) fn negotiate(requested: &str) -> &'static str {
    LEGACY.into_iter().find(|known| *known == requested).unwrap_or(LEGACY[LEGACY.len() - 1])
}

/// Whether a session of this revision may send batches. Revisions are dates and compare as text.
pub(crate) fn allows_batches(negotiated: &str) -> bool {
    negotiated <= BATCHES_UNTIL
}

/// Adds what a modern result must carry: its type, the server's name, and how long it may be kept.
pub(crate) fn finish(server: &Server, method: &str, mut result: Value) -> Value {
    result["resultType"] = json!("complete");
    let cache = match method {
        "server/discover" | "tools/list" | "resources/templates/list" => Some((FIXED_TTL_MS, "public")),
        "resources/list" | "resources/read" => Some((READ_TTL_MS, "private")),
        _ => None,
    };
    if let Some((ttl_ms, scope)) = cache {
        result["ttlMs"] = json!(ttl_ms);
        result["cacheScope"] = json!(scope);
    }
    result["_meta"][SERVER_INFO_KEY] = server_info(server);
    result
}

/// Name and version as both eras send them.
pub(crate) fn server_info(server: &Server) -> Value {
    json!({ "name": server.name, "title": server.title, "version": env!("CARGO_PKG_VERSION") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(version: Value, with_capabilities: bool) -> Map<String, Value> {
        let mut meta = json!({ VERSION_KEY: version });
        if with_capabilities {
            meta[CAPABILITIES_KEY] = json!({});
        }
        json!({ "_meta": meta }).as_object().cloned().unwrap_or_default()
    }

    fn code(result: Result<Era, Fault>) -> i64 {
        result.map_or_else(|fault| fault.code, |_| 0)
    }

    #[test]
    fn the_meta_of_a_request_decides_its_era() {
        assert_eq!(era_of("tools/list", &params(json!(MODERN), true), true), Ok(Era::Modern));
        assert_eq!(era_of("tools/list", &Map::new(), true), Ok(Era::Legacy));
        assert_eq!(era_of("initialize", &Map::new(), false), Ok(Era::Legacy));
        assert_eq!(era_of("ping", &Map::new(), false), Ok(Era::Legacy));
        assert_eq!(code(era_of("tools/list", &Map::new(), false)), INVALID_PARAMS);
        assert_eq!(code(era_of("server/discover", &Map::new(), true)), INVALID_PARAMS);
        assert_eq!(code(era_of("tools/list", &params(json!(MODERN), false), true)), INVALID_PARAMS);
        assert_eq!(code(era_of("tools/list", &params(json!(3), true), true)), INVALID_PARAMS);
    }

    #[test]
    fn an_unknown_version_is_told_which_are_served() {
        let fault = era_of("tools/list", &params(json!("2099-01-01"), true), false);
        let expected = Fault::new(UNSUPPORTED_VERSION, "Unsupported protocol version")
            .with(json!({ "supported": ["2026-07-28"], "requested": "2099-01-01" }));
        assert_eq!(fault, Err(expected));
    }

    #[test]
    fn a_session_gets_the_revision_it_asks_for_or_the_newest() {
        for known in LEGACY {
            assert_eq!(negotiate(known), known);
        }
        assert_eq!(negotiate("2026-07-28"), "2025-11-25");
        assert_eq!(negotiate("1999-01-01"), "2025-11-25");
        assert!(allows_batches("2024-11-05") && allows_batches("2025-03-26") && !allows_batches("2025-06-18"));
    }
}
