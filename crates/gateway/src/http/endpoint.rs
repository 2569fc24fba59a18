//! The paths: `/mcp` and `/mcp/{server}` for clients, `/healthz` and `/readyz` for whoever watches over the hub.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use omni_hub::stage::{Channel, ClientHeaders, Received};
use omni_hub::{Reply, Scope, Session, dispatch};
use omni_protocol::{Version, decode_value, header_names};
use omni_types::{Fault, FaultKind, ServerName};

use crate::health;
use crate::http::body::Body;
use crate::http::reply::{Setting, json, render, session_stream, text};
use crate::http::shared::Shared;

const SESSION_ID: HeaderName = HeaderName::from_static(header_names::SESSION_ID);
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(header_names::PROTOCOL_VERSION);
const MCP_METHOD: HeaderName = HeaderName::from_static(header_names::METHOD);
const MCP_NAME: HeaderName = HeaderName::from_static(header_names::NAME);
/// What nearly every client sends in `Accept`.
const ACCEPT_BOTH: &[u8] = b"application/json, text/event-stream";

/// Headers that a server behind the hub has to see: trace context (W3C), beside `Mcp-Param-*`.
const FORWARDED: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// Answers one request.
pub(crate) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    if let Some(why) = shared.door.refuses(request.uri().authority(), request.headers()) {
        return refuse(StatusCode::FORBIDDEN, &why);
    }
    let path = request.uri().path();
    match path {
        "/healthz" => return probe(request.method(), || text(StatusCode::OK, "ok\n")),
        "/readyz" => {
            return probe(request.method(), || json(StatusCode::OK, health::ready(&shared.hub).into()));
        }
        _ => {}
    }
    let scope = match path.strip_prefix("/mcp") {
        Some("" | "/") => Scope::All,
        Some(rest) => match rest.strip_prefix('/').map(|name| ServerName::parse(name.trim_end_matches('/'))) {
            Some(Ok(name)) if shared.hub.snapshot().server(name.as_str()).is_some() => Scope::One(name),
            _ => return refuse(StatusCode::NOT_FOUND, "there is no server of that name; all of them are at /mcp"),
        },
        None => return refuse(StatusCode::NOT_FOUND, "nothing is here; the MCP endpoint is /mcp"),
    };
    match *request.method() {
        Method::POST => post(shared, scope, request).await,
        Method::GET => get(shared, &scope, request.headers()),
        Method::DELETE => delete(shared, &scope, request.headers()),
        _ => not_allowed("GET, POST, DELETE"),
    }
}

fn probe(method: &Method, answer: impl FnOnce() -> Response<Body>) -> Response<Body> {
    if matches!(*method, Method::GET | Method::HEAD) { answer() } else { not_allowed("GET, HEAD") }
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this path");
    response.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static(methods));
    response
}

/// A refusal before anything was read: a JSON-RPC error without an id.
fn refuse(status: StatusCode, why: &str) -> Response<Body> {
    let fault = Fault::new(FaultKind::InvalidRequest, why);
    json(status, crate::fault::body(&fault, None, Version::LATEST_LEGACY).into())
}

async fn post(shared: &Arc<Shared>, scope: Scope, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Some(refusal) = wrong_media(&head.headers) {
        return refusal;
    }
    let session = match named_session(shared, &scope, &head.headers) {
        Ok(session) => session,
        Err(refusal) => return *refusal,
    };
    let limits = &shared.limits;
    let body = match tokio::time::timeout(limits.body_timeout, collect(body, limits.body_bytes_max)).await {
        Ok(Ok(body)) => body,
        Ok(Err(refusal)) => return *refusal,
        Err(_) => {
            let mut response = refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
            response.headers_mut().insert(header::CONNECTION, http::HeaderValue::from_static("close"));
            return response;
        }
    };
    let calls = session.as_ref().map(|session| Arc::clone(&session.calls));
    let headers = client_headers(&head.headers);
    let received = Received { body, scope, channel: Channel::Http, session, calls, headers };
    let reply: Reply = dispatch(&shared.hub, received).await;
    render(reply, &Setting { stopping: shared.stopping.clone() })
}

/// The body must be JSON, and the client able to read both kinds of answer (Streamable HTTP, "Sending Messages").
fn wrong_media(headers: &HeaderMap) -> Option<Response<Body>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind != "application/json"
        && !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    {
        return Some(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"));
    }
    if headers.get(header::ACCEPT).is_some_and(|v| v.as_bytes() == ACCEPT_BOTH) {
        return None;
    }
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).peekable();
    accepted.peek()?;
    let (mut json, mut events) = (false, false);
    for range in accepted.flat_map(|value| value.split(',')) {
        let range = range.split(';').next().unwrap_or_default().trim();
        json |= matches!(range, "application/json" | "application/*" | "*/*");
        events |= matches!(range, "text/event-stream" | "text/*" | "*/*");
    }
    (!(json && events))
        .then(|| refuse(StatusCode::NOT_ACCEPTABLE, "Accept must list application/json and text/event-stream"))
}

/// The session that the request names. A client of 2026-07-28 has none: its header is ignored.
fn named_session(
    shared: &Arc<Shared>,
    scope: &Scope,
    headers: &HeaderMap,
) -> Result<Option<Arc<Session>>, Box<Response<Body>>> {
    let Some(id) = headers.get(&SESSION_ID) else { return Ok(None) };
    let version = headers.get(&PROTOCOL_VERSION).and_then(|v| v.to_str().ok());
    if version == Some(Version::V2026_07_28.as_str()) {
        return Ok(None);
    }
    let session = id.to_str().ok().and_then(|id| shared.hub.sessions().find(id));
    match session.filter(|session| session.scope == *scope) {
        Some(session) => Ok(Some(session)),
        None => Err(Box::new(refuse(
            StatusCode::NOT_FOUND,
            "there is no such session, or not any more: begin again with `initialize`",
        ))),
    }
}

async fn collect(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Box<Response<Body>>> {
    let too_large = || {
        let why = format!("a body has at most {bytes_max} bytes (gateway.body_bytes_max)");
        Box::new(refuse(StatusCode::PAYLOAD_TOO_LARGE, &why))
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Box::new(refuse(StatusCode::BAD_REQUEST, "the body broke off")))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.as_ref().map_or(0, Bytes::len).max(rest.len()) + data.len() > bytes_max {
            return Err(too_large());
        }
        match &first {
            None => first = Some(data),
            Some(one) => {
                if rest.is_empty() {
                    rest.extend_from_slice(one);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
}

fn client_headers(headers: &HeaderMap) -> ClientHeaders {
    let text = |name: &HeaderName| headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).trim().to_owned());
    let mut forwarded = HeaderMap::new();
    for (name, value) in headers {
        if name.as_str().starts_with(header_names::PARAM_PREFIX) || FORWARDED.contains(&name.as_str()) {
            forwarded.append(HeaderName::clone(name), value.clone());
        }
    }
    ClientHeaders {
        version: text(&PROTOCOL_VERSION),
        method: text(&MCP_METHOD),
        name: text(&MCP_NAME).map(|value| decode_value(&value).map(std::borrow::Cow::into_owned)),
        forwarded,
    }
}

fn get(shared: &Arc<Shared>, scope: &Scope, headers: &HeaderMap) -> Response<Body> {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
    if !accepts.flat_map(|v| v.split(',')).any(|range| range.trim().starts_with("text/event-stream")) {
        return refuse(StatusCode::NOT_ACCEPTABLE, "Accept must list text/event-stream");
    }
    match named_session(shared, scope, headers) {
        Ok(Some(session)) => session_stream(&shared.hub, session, shared.stopping.clone()),
        // 2026-07-28 has no stream to get; `subscriptions/listen` is its way.
        Ok(None) if headers.get(&PROTOCOL_VERSION).is_some_and(|v| v == Version::LATEST.as_str()) => {
            not_allowed("POST")
        }
        Ok(None) => refuse(StatusCode::BAD_REQUEST, "no session: begin with `initialize`"),
        Err(refusal) => *refusal,
    }
}

fn delete(shared: &Arc<Shared>, scope: &Scope, headers: &HeaderMap) -> Response<Body> {
    match named_session(shared, scope, headers) {
        Ok(Some(session)) => {
            shared.hub.end_session(session.id());
            text(StatusCode::OK, "")
        }
        Ok(None) => not_allowed("POST"),
        Err(refusal) => *refusal,
    }
}
