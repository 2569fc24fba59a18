//! `input_required` and what belongs to it, read and written (basic/patterns/mrtr of 2026-07-28): the way in which a server
//! of 2026-07-28 asks its client, while one of an earlier revision sends requests.

use omni_protocol::{Era, ErrorCode, Message, Method, Version, member, members, object_with, without_members};
use omni_proxy::can_be_asked;
use serde_json::Value;
use serde_json::value::RawValue;

/// Requests of one `input_required`.
pub(super) const REQUESTS_MAX: usize = 32;

/// One request of a server of 2026-07-28 to its client.
#[derive(Debug)]
pub(super) struct InputRequest {
    pub(super) key: String,
    pub(super) method: String,
    /// JSON text.
    pub(super) params: Option<String>,
}

/// What a server of 2026-07-28 answered instead of a result.
#[derive(Debug)]
pub(super) struct InputRequired {
    pub(super) requests: Vec<InputRequest>,
    /// JSON text.
    pub(super) state: Option<String>,
}

/// Whether calls of `method` may ask for input (basic/patterns/mrtr, "Supported Requests").
pub(super) const fn may_ask(method: &Method, era: Era) -> bool {
    matches!(method, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead) && matches!(era, Era::Modern)
}

/// Whether `result` asks for input.
pub(super) fn wants_input(result: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "resultType")]
        kind: Option<std::borrow::Cow<'a, str>>,
    }
    result.contains("input_required")
        && serde_json::from_str::<Kind<'_>>(result).is_ok_and(|k| k.kind.as_deref() == Some("input_required"))
}

/// The parameters of a call without what belongs to a round: the client's answers and the server's state.
///
/// # Errors
/// When `params` is no object.
pub(super) fn without_round(params: &str) -> Result<String, serde_json::Error> {
    without_members(params, |name| matches!(name, "inputResponses" | "requestState"))
}

/// Reads a result that asks for input; why it cannot be read, otherwise.
pub(super) fn read(result: &str) -> Result<InputRequired, String> {
    let found = members(result).map_err(|e| e.to_string())?;
    let text = |name: &str| found.iter().find(|(key, _)| key == name).map(|(_, value)| value.get());
    let mut requests = Vec::new();
    for (key, request) in members(text("inputRequests").unwrap_or("{}")).map_err(|e| format!("inputRequests: {e}"))? {
        if requests.len() >= REQUESTS_MAX {
            return Err(format!("inputRequests: more than {REQUESTS_MAX}"));
        }
        #[derive(serde::Deserialize)]
        struct Request<'a> {
            method: String,
            #[serde(borrow, default)]
            params: Option<&'a RawValue>,
        }
        let request: Request<'_> =
            serde_json::from_str(request.get()).map_err(|e| format!("inputRequests.{key}: {e}"))?;
        let params = request.params.map(|p| p.get().to_owned());
        requests.push(InputRequest { key: key.into_owned(), method: request.method, params });
    }
    let state = text("requestState").map(str::to_owned);
    if requests.is_empty() && state.is_none() {
        return Err("it asks for input without saying for what".to_owned());
    }
    Ok(InputRequired { requests, state })
}

/// Whether a client of `version` that declared `capabilities` can be asked this in the way of its revision.
pub(super) fn fits(version: Version, capabilities: &str, request: &InputRequest) -> bool {
    let method = Method::parse(&request.method);
    let since = match request.method.as_str() {
        "elicitation/create" if mode(request.params.as_deref()) == Some("url".to_owned()) => Version::V2025_11_25,
        "elicitation/create" => Version::V2025_06_18,
        _ => Version::V2024_11_05,
    };
    version >= since && can_be_asked(capabilities, &method, request.params.as_deref())
}

/// JSON text of the capabilities that a client must have declared to be asked by `method`; `None` where that is no question
/// to a client.
pub(super) fn required_to_ask(method: &Method, params: Option<&str>) -> Option<&'static str> {
    Some(match method.as_str() {
        "roots/list" => r#"{"roots":{}}"#,
        "sampling/createMessage" => r#"{"sampling":{}}"#,
        "elicitation/create" if mode(params).as_deref() == Some("url") => r#"{"elicitation":{"url":{}}}"#,
        "elicitation/create" => r#"{"elicitation":{}}"#,
        _ => return None,
    })
}

fn mode(params: Option<&str>) -> Option<String> {
    serde_json::from_str(member(params?, "mode")?.get()).ok()
}

/// JSON text of the request `number` to a client of an earlier revision.
pub(super) fn legacy_request(number: u64, request: &InputRequest) -> String {
    let method = Value::from(request.method.as_str());
    let Some(params) = &request.params else {
        return format!(r#"{{"jsonrpc":"2.0","id":{number},"method":{method}}}"#);
    };
    let params = match mode(Some(params)).as_deref() {
        // Required before 2026-07-28, and gone since (client/elicitation).
        Some("url") if member(params, "elicitationId").is_none() => {
            object_with(params, &format!(r#""elicitationId":"omni-{number}""#))
        }
        _ => params.clone(),
    };
    format!(r#"{{"jsonrpc":"2.0","id":{number},"method":{method},"params":{params}}}"#)
}

/// The request of a server of an earlier revision as `inputRequests` holds it: its name there, and its JSON text.
///
/// The name is the server's own id where that is a text: it is the name that the server gave this request.
pub(super) fn modern_request(message: &Message) -> Option<(String, String)> {
    let id = message.id()?;
    let key = serde_json::from_str::<String>(id).unwrap_or_else(|_| format!("request-{id}"));
    let method = Value::from(message.method()?.as_str());
    let Some(params) = message.params() else { return Some((key, format!(r#"{{"method":{method}}}"#))) };
    // What ties a request to the conversation of its revision means nothing in the other.
    let params = without_members(params, |name| matches!(name, "elicitationId" | "_meta")).ok()?;
    Some((key, format!(r#"{{"method":{method},"params":{params}}}"#)))
}

/// JSON text of the result that asks for `requests`, pairs of name and JSON text.
pub(super) fn input_required<'a>(
    requests: impl Iterator<Item = (&'a str, &'a str)>,
    state: Option<&str>,
    server_info: Option<&str>,
) -> String {
    let requests: Vec<String> = requests.map(|(key, request)| format!("{}:{request}", Value::from(key))).collect();
    let state = state.map(|s| format!(r#","requestState":{}"#, Value::from(s))).unwrap_or_default();
    let info = server_info
        .map(|info| format!(r#","_meta":{{"{}":{info}}}"#, omni_protocol::meta_keys::SERVER_INFO))
        .unwrap_or_default();
    format!(r#"{{"resultType":"input_required","inputRequests":{{{}}}{state}{info}}}"#, requests.join(","))
}

/// The URLs that a server of 2025-11-25 wants visited before the call is made again (error -32042), as requests.
pub(super) fn urls_of(error: &str) -> Vec<(String, String)> {
    #[derive(serde::Deserialize)]
    struct Required {
        data: Data,
    }
    #[derive(serde::Deserialize)]
    struct Data {
        elicitations: Vec<Elicitation>,
    }
    #[derive(serde::Deserialize)]
    struct Elicitation {
        url: String,
        #[serde(default)]
        message: String,
    }
    let Ok(required) = serde_json::from_str::<Required>(error) else { return Vec::new() };
    let requests = required.data.elicitations.into_iter().take(REQUESTS_MAX).enumerate();
    requests
        .map(|(number, wanted)| {
            let (url, message) = (Value::from(wanted.url), Value::from(wanted.message));
            let params = format!(r#"{{"mode":"url","message":{message},"url":{url}}}"#);
            (format!("url-{number}"), format!(r#"{{"method":"elicitation/create","params":{params}}}"#))
        })
        .collect()
}

/// Error of 2025-11-25: the call may be made again once URLs were visited (client/elicitation, "URL Elicitation Required").
pub(super) const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use omni_protocol::{Message, Version};

    use super::{fits, input_required, legacy_request, modern_request, read, urls_of, wants_input};

    #[test]
    fn tool_3_what_one_era_asks_the_other_can_read() {
        let result = r#"{"resultType":"input_required","requestState":"s\u0041","inputRequests":{
            "who":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object"}}},
            "where":{"method":"roots/list"}}}"#;
        assert!(wants_input(result) && !wants_input(r#"{"content":["input_required"]}"#));
        let asked = read(result).unwrap();
        assert_eq!(asked.state.as_deref(), Some(r#""s\u0041""#));
        assert_eq!(
            legacy_request(7, &asked.requests[0]),
            r#"{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object"}}}"#
        );
        assert_eq!(legacy_request(8, &asked.requests[1]), r#"{"jsonrpc":"2.0","id":8,"method":"roots/list"}"#);
        assert!(fits(Version::V2025_06_18, r#"{"elicitation":{}}"#, &asked.requests[0]));
        assert!(!fits(Version::V2025_03_26, r#"{"elicitation":{}}"#, &asked.requests[0]));
        assert!(!fits(Version::V2025_06_18, r#"{"elicitation":{}}"#, &asked.requests[1]));
        assert!(read(r#"{"resultType":"input_required"}"#).is_err());
        let many: Vec<String> = (0..40).map(|n| format!(r#""{n}":{{"method":"roots/list"}}"#)).collect();
        assert!(read(&format!(r#"{{"inputRequests":{{{}}}}}"#, many.join(","))).is_err());
    }

    #[test]
    fn tool_3_the_servers_own_id_names_its_question() {
        let of = |text: &str| modern_request(&Message::parse(Bytes::from(text.to_owned())).unwrap()).unwrap();
        let (key, request) = of(
            r#"{"jsonrpc":"2.0","id":"user","method":"elicitation/create","params":{"mode":"url","url":"u","elicitationId":"e"}}"#,
        );
        assert_eq!(key, "user");
        assert_eq!(request, r#"{"method":"elicitation/create","params":{"mode":"url","url":"u"}}"#);
        let (key, request) = of(r#"{"jsonrpc":"2.0","id":3,"method":"roots/list"}"#);
        assert_eq!((key.as_str(), request.as_str()), ("request-3", r#"{"method":"roots/list"}"#));
        let text = input_required([(key.as_str(), request.as_str())].into_iter(), Some("omni1.x"), None);
        assert_eq!(read(&text).unwrap().requests[0].key, "request-3");
    }

    #[test]
    fn tool_3_urls_to_visit_first_become_requests() {
        let error = r#"{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"x","url":"https://a/","message":"go"}]}}"#;
        let urls = urls_of(error);
        assert_eq!(
            urls[0].1,
            r#"{"method":"elicitation/create","params":{"mode":"url","message":"go","url":"https://a/"}}"#
        );
        assert!(urls_of(r#"{"code":-32042,"message":"m"}"#).is_empty());
    }
}
