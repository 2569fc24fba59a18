//! Requests and results carried from one era to the other (section 1.9 of our protocol notes: what is plain request and
//! answer). Within one era nothing here is used and the bytes stay as they are.

use crate::caching::CacheHint;
use crate::error_code::ErrorCode;
use crate::meta::keys;
use crate::object::{members, object_with, without_members};
use crate::version::Version;

fn is_modern_key(key: &str) -> bool {
    matches!(key, keys::PROTOCOL_VERSION | keys::CLIENT_INFO | keys::CLIENT_CAPABILITIES | keys::LOG_LEVEL)
}

/// `_meta` without what only 2026-07-28 knows; `None` when nothing is left.
///
/// # Errors
/// When `meta` is no object.
pub fn strip_modern_meta(meta: &str) -> Result<Option<String>, serde_json::Error> {
    let kept = without_members(meta, is_modern_key)?;
    Ok(if members(&kept)?.is_empty() { None } else { Some(kept) })
}

/// `params` of a client of 2026-07-28 for a server of an earlier revision.
///
/// # Errors
/// When `params` or its `_meta` is no object.
pub fn legacy_request(params: &str) -> Result<String, serde_json::Error> {
    let found = members(params)?;
    let Some((_, meta)) = found.iter().find(|(key, _)| key == "_meta") else { return Ok(params.to_owned()) };
    let rest = without_members(params, |key| key == "_meta")?;
    Ok(match strip_modern_meta(meta.get())? {
        Some(kept) => object_with(&rest, &format!("\"_meta\":{kept}")),
        None => rest,
    })
}

/// `params` of a client of an earlier revision for a server of 2026-07-28.
///
/// `client_info` and `capabilities` are JSON texts.
///
/// # Errors
/// When `params` or its `_meta` is no object.
pub fn modern_request(
    params: Option<&str>,
    client_info: &str,
    capabilities: &str,
    log_level: Option<&str>,
) -> Result<String, serde_json::Error> {
    let params = params.unwrap_or("{}");
    let version = Version::V2026_07_28.as_str();
    let mut own = format!(
        r#""{}":"{version}","{}":{client_info},"{}":{capabilities}"#,
        keys::PROTOCOL_VERSION,
        keys::CLIENT_INFO,
        keys::CLIENT_CAPABILITIES
    );
    if let Some(level) = log_level {
        own.push_str(&format!(r#","{}":"{level}""#, keys::LOG_LEVEL));
    }
    let found = members(params)?;
    let meta = match found.iter().find(|(key, _)| key == "_meta") {
        Some((_, meta)) => object_with(&without_members(meta.get(), is_modern_key)?, &own),
        None => format!("{{{own}}}"),
    };
    let rest = without_members(params, |key| key == "_meta")?;
    Ok(object_with(&rest, &format!("\"_meta\":{meta}")))
}

/// A result of a server of an earlier revision for a client of 2026-07-28: `resultType`, cache hints where the method
/// has them, and who answered.
///
/// # Errors
/// When `result` is no object.
pub fn modern_result(
    result: &str,
    hint: Option<CacheHint>,
    server_info: Option<&str>,
) -> Result<String, serde_json::Error> {
    let found = members(result)?;
    let has = |name: &str| found.iter().any(|(key, _)| key == name);
    let mut added = Vec::new();
    if !has("resultType") {
        added.push(r#""resultType":"complete""#.to_owned());
    }
    if let Some(hint) = hint.filter(|_| !has("ttlMs") && !has("cacheScope")) {
        added.push(hint.members());
    }
    let Some(info) = server_info else { return Ok(object_with(result, &added.join(","))) };
    let own = format!(r#""{}":{info}"#, keys::SERVER_INFO);
    match found.iter().find(|(key, _)| key == "_meta") {
        None => {
            added.push(format!(r#""_meta":{{{own}}}"#));
            Ok(object_with(result, &added.join(",")))
        }
        Some((_, meta)) if says_who_answered(meta.get()) => Ok(object_with(result, &added.join(","))),
        Some((_, meta)) => {
            let rest = without_members(result, |key| key == "_meta")?;
            // One that is no object says nothing, and a member put into it would make the whole no JSON.
            let meta = if meta.get().starts_with('{') { meta.get() } else { "{}" };
            added.push(format!(r#""_meta":{}"#, object_with(meta, &own)));
            Ok(object_with(&rest, &added.join(",")))
        }
    }
}

fn says_who_answered(meta: &str) -> bool {
    meta.contains(keys::SERVER_INFO)
        && members(meta).is_ok_and(|found| found.iter().any(|(key, _)| key == keys::SERVER_INFO))
}

/// A result of a server of 2026-07-28 for a client of an earlier revision: what only the newer one knows is taken out.
///
/// # Errors
/// When `result` is no object.
pub fn legacy_result(result: &str) -> Result<String, serde_json::Error> {
    without_members(result, |key| matches!(key, "resultType" | "ttlMs" | "cacheScope"))
}

/// The code by which `version` says that a resource is not there.
#[must_use]
pub fn resource_not_found(version: Version) -> ErrorCode {
    if version == Version::V2026_07_28 { ErrorCode::INVALID_PARAMS } else { ErrorCode::RESOURCE_NOT_FOUND }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{legacy_request, legacy_result, modern_request, modern_result};
    use crate::CacheHint;

    #[test]
    fn what_only_one_era_knows_stays_there() {
        let params = r#"{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":1},"arguments":{"n":1.50}}"#;
        assert_eq!(
            legacy_request(params).unwrap(),
            r#"{"_meta":{"progressToken":1},"name":"a","arguments":{"n":1.50}}"#
        );
        assert_eq!(
            modern_request(Some(r#"{"name":"a","_meta":{"progressToken":1}}"#), r#"{"name":"c"}"#, "{}", None).unwrap(),
            r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/clientCapabilities":{},"progressToken":1},"name":"a"}"#
        );
        assert!(modern_request(None, "{}", "{}", Some("debug")).unwrap().contains("logLevel"));
        assert_eq!(
            modern_result(r#"{"content":[],"_meta":{"x":1}}"#, None, Some(r#"{"name":"s"}"#)).unwrap(),
            r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"},"x":1},"content":[]}"#
        );
        assert_eq!(
            modern_result("{}", Some(CacheHint::NONE), None).unwrap(),
            r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#
        );
        for meta in ["null", "[]", "1"] {
            assert_eq!(
                modern_result(&format!(r#"{{"_meta":{meta}}}"#), None, Some("{}")).unwrap(),
                r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#
            );
        }
        let named = r#"{"_meta":{"x":"io.modelcontextprotocol/serverInfo"}}"#;
        assert!(
            modern_result(named, None, Some("{}")).unwrap().contains(r#""io.modelcontextprotocol/serverInfo":{},"x""#)
        );
        assert_eq!(legacy_result(r#"{"resultType":"complete","content":[1.0]}"#).unwrap(), r#"{"content":[1.0]}"#);
    }
}
