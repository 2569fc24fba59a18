//! The paths: `/mcp`, `/sse` and each with `/{server}` or `/p/{profile}` for clients, `/healthz` and `/readyz` for whoever watches over
//! the hub.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use omni_hub::stage::{Channel, ClientHeaders, Received};
use omni_hub::{Identified, Reply, Scope, Session, dispatch};
use omni_protocol::{Version, decode_value, header_names};

use crate::health;
use crate::http::admin;
use crate::http::body::Body;
use crate::http::guest::Guest;
use crate::http::incoming::{self, RequestBody};
use crate::http::login;
use crate::http::reply::{Setting, json, not_allowed, refuse, render, text};
use crate::http::resumable;
use crate::http::shared::Shared;
use crate::http::sse;
use crate::http::websocket;
use crate::http::witness;

const SESSION_ID: HeaderName = HeaderName::from_static(header_names::SESSION_ID);
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(header_names::PROTOCOL_VERSION);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What nearly every client sends in `Accept`.
const ACCEPT_BOTH: &[u8] = b"application/json, text/event-stream";

/// Headers that a server behind the hub has to see: trace context (W3C), beside `Mcp-Param-*`.
const FORWARDED: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// Answers one request.
pub(crate) async fn answer(guest: &Guest, head: &Parts, body: RequestBody) -> Response<Body> {
    let shared = &guest.shared;
    if let Some(service) = &shared.admin {
        return Box::pin(admin::answer(guest, service, head, body)).await;
    }
    if let Some(why) = shared.door.refuses(head.uri.authority(), &head.headers) {
        return refuse(StatusCode::FORBIDDEN, &why);
    }
    let path = head.uri.path();
    match path {
        "/healthz" => return probe(&head.method, || text(StatusCode::OK, "ok\n")),
        "/readyz" => {
            let named = login::is_at_home(guest, &head.method, &head.headers).await;
            return probe(&head.method, || json(StatusCode::OK, health::ready(&shared.hub, named).into()));
        }
        _ => {}
    }
    if path == witness::PATH
        && let Some(watching) = shared.hub.witness()
    {
        return witness::take(guest, &watching, (&head.method, &head.headers), body).await;
    }
    if let Some(resource) = path.strip_prefix(login::METADATA) {
        return probe(&head.method, || login::metadata(shared, &head.headers, resource));
    }
    let (is_sse, rest) = match (path.strip_prefix("/mcp"), path.strip_prefix("/sse")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return refuse(StatusCode::NOT_FOUND, "nothing is here; the MCP endpoint is /mcp"),
    };
    // Before anything is said of what is there, and before the body is read.
    let sender = match login::sender(guest, &head.method, &head.headers, path).await {
        Ok(sender) => sender,
        Err(refusal) => return *refusal,
    };
    let Some(scope) = scope_of(shared, rest) else {
        return refuse(StatusCode::NOT_FOUND, "there is no server or profile of that name; all servers are at /mcp");
    };
    match head.method {
        Method::GET if is_sse => sse::open(shared, scope, sender, &head.headers),
        Method::POST if is_sse => sse::take(guest, &scope, sender, head, body).await,
        _ if is_sse => not_allowed("GET, POST"),
        // Boxed: a connection holds the room for its request as long as it lives, also while it only listens.
        Method::POST => Box::pin(post(guest, scope, sender, head, body)).await,
        Method::GET if websocket::is_wanted(&head.headers) => websocket::open(guest, scope, sender, head, body),
        Method::GET => get(shared, &scope, sender, &head.headers),
        Method::DELETE => delete(shared, &scope, &sender, &head.headers),
        _ => not_allowed("GET, POST, DELETE"),
    }
}

/// The servers that the rest of a path names.
fn scope_of(shared: &Shared, rest: &str) -> Option<Scope> {
    if matches!(rest, "" | "/") {
        return Some(Scope::All);
    }
    let name = rest.strip_prefix('/')?.trim_end_matches('/');
    if let Some(profile) = name.strip_prefix("p/") {
        return shared.hub.profile_scope(profile);
    }
    shared.hub.snapshot().server(name).map(|server| Scope::One(server.name().clone()))
}

fn probe(method: &Method, answer: impl FnOnce() -> Response<Body>) -> Response<Body> {
    if matches!(*method, Method::GET | Method::HEAD) { answer() } else { not_allowed("GET, HEAD") }
}

async fn post(guest: &Guest, scope: Scope, sender: Identified, head: &Parts, body: RequestBody) -> Response<Body> {
    let shared = &guest.shared;
    if let Some(refusal) = wrong_media(&head.headers) {
        return refusal;
    }
    let session = match named_session(shared, &scope, &sender, &head.headers) {
        Ok(session) => session,
        Err(refusal) => return *refusal,
    };
    let body = match incoming::read(body, guest).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let calls = session.as_ref().map(|session| Arc::clone(&session.calls));
    let headers = client_headers(&head.headers);
    let whose = sender.clone();
    let received = Received { body, scope, channel: Channel::Http, sender, session: session.clone(), calls, headers };
    let mut response = match session {
        Some(session) => resumable::answer(shared, session, received).await,
        None => {
            // In a box of its own: what is large and moved about costs more than to allocate.
            let reply: Reply = Box::pin(dispatch(&shared.hub, received)).await;
            render(reply, &Setting { stopping: shared.stopping.clone() })
        }
    };
    login::challenge(shared, &head.headers, head.uri.path(), &mut response);
    response.map(|body| body.while_stands(whose))
}

/// The body must be JSON, and the client able to read both kinds of answer (Streamable HTTP, "Sending Messages").
fn wrong_media(headers: &HeaderMap) -> Option<Response<Body>> {
    if !incoming::is_json(headers) {
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

/// The session that the request names, if it is its sender's. A client of 2026-07-28 has none: its header is ignored.
fn named_session(
    shared: &Arc<Shared>,
    scope: &Scope,
    sender: &Identified,
    headers: &HeaderMap,
) -> Result<Option<Arc<Session>>, Box<Response<Body>>> {
    let Some(id) = headers.get(&SESSION_ID) else { return Ok(None) };
    let version = headers.get(&PROTOCOL_VERSION).and_then(|v| v.to_str().ok());
    if version == Some(Version::V2026_07_28.as_str()) {
        return Ok(None);
    }
    let session = id.to_str().ok().and_then(|id| shared.hub.sessions().find(id));
    match session.filter(|session| session.scope == *scope && session.principal == *sender.principal()) {
        Some(session) => Ok(Some(session)),
        None => Err(Box::new(refuse(
            StatusCode::NOT_FOUND,
            "there is no such session, or not any more: begin again with `initialize`",
        ))),
    }
}

fn client_headers(headers: &HeaderMap) -> ClientHeaders {
    let text = |value: &HeaderValue| match value.to_str() {
        Ok(text) => text.trim_ascii().to_owned(),
        Err(_) => String::from_utf8_lossy(value.as_bytes()).trim().to_owned(),
    };
    let mut found = ClientHeaders::default();
    for (name, value) in headers {
        // Of two of one name the first counts, as everywhere.
        match name.as_str() {
            header_names::PROTOCOL_VERSION if found.version.is_none() => found.version = Some(text(value)),
            header_names::METHOD if found.method.is_none() => found.method = Some(text(value)),
            header_names::NAME if found.name.is_none() => {
                found.name = Some(decode_value(&text(value)).map(std::borrow::Cow::into_owned));
            }
            other if other.starts_with(header_names::PARAM_PREFIX) || FORWARDED.contains(&other) => {
                found.forwarded.push((name.clone(), value.clone()));
            }
            _ => {}
        }
    }
    found
}

fn get(shared: &Arc<Shared>, scope: &Scope, sender: Identified, headers: &HeaderMap) -> Response<Body> {
    if !incoming::accepts_events(headers) {
        return refuse(StatusCode::NOT_ACCEPTABLE, "Accept must list text/event-stream");
    }
    match named_session(shared, scope, &sender, headers) {
        Ok(Some(session)) => {
            let last = headers.get(&LAST_EVENT_ID).map(|id| id.to_str().unwrap_or("?"));
            resumable::listen(&shared.hub, session, sender, last, shared.stopping.clone())
        }
        // 2026-07-28 has no stream to get; `subscriptions/listen` is its way.
        Ok(None) if headers.get(&PROTOCOL_VERSION).is_some_and(|v| v == Version::LATEST.as_str()) => {
            not_allowed("POST")
        }
        Ok(None) => refuse(StatusCode::BAD_REQUEST, "no session: begin with `initialize`"),
        Err(refusal) => *refusal,
    }
}

fn delete(shared: &Arc<Shared>, scope: &Scope, sender: &Identified, headers: &HeaderMap) -> Response<Body> {
    match named_session(shared, scope, sender, headers) {
        Ok(Some(session)) => {
            shared.hub.end_session(session.id());
            text(StatusCode::OK, "")
        }
        Ok(None) => not_allowed("POST"),
        Err(refusal) => *refusal,
    }
}
