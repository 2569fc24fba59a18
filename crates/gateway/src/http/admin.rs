//! The admin API beyond its socket: over TLS, for who logs in and whom policy lets, with the gateway's own deadlines and bounds.

use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};

use crate::admin::{AdminService, Answer, Problem};
use crate::http::body::Body;
use crate::http::guest::Guest;
use crate::http::incoming::{self, RequestBody};
use crate::http::login;
use crate::http::reply::json;

/// Headers of a refusal that say how to do better.
const KEPT: [header::HeaderName; 3] =
    [header::WWW_AUTHENTICATE, header::RETRY_AFTER, header::HeaderName::from_static("dpop-nonce")];

/// What is said to who shows nothing.
const WAY_IN: &str = "the admin API wants an API key, an access token or a certificate whose holder policy lets do this \
                      (`omni key create NAME --role admin` makes a key)";

/// Answers one request.
pub(crate) async fn answer(guest: &Guest, service: &AdminService, head: &Parts, body: RequestBody) -> Response<Body> {
    let problem = |status, detail: &str| rendered(Problem::new(status, detail).into());
    // A browser adds a certificate to what any page asks for, so that no page may ask.
    if head.headers.contains_key(header::ORIGIN) {
        return problem(StatusCode::FORBIDDEN, "pages may not use the admin API: the request has an `Origin`");
    }
    let path = head.uri.path();
    if let Some(resource) = path.strip_prefix(login::METADATA)
        && matches!(head.method, Method::GET | Method::HEAD)
    {
        return login::metadata(&guest.shared, &head.headers, resource);
    }
    let sender = match login::sender_for(guest, &head.method, &head.headers, (path, login::ADMIN_RESOURCE)).await {
        Ok(sender) => sender,
        // How a client of MCP would log in is no help here.
        Err(refusal)
            if refusal.status() == StatusCode::UNAUTHORIZED && !head.headers.contains_key(header::AUTHORIZATION) =>
        {
            return as_problem(*refusal, Some(WAY_IN));
        }
        Err(refusal) => return as_problem(*refusal, None),
    };
    let body = match incoming::read(body, guest).await {
        Ok(body) => body,
        Err(refusal) => return as_problem(*refusal, None),
    };
    if !body.is_empty() && !incoming::is_json(&head.headers) {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the body as `content-type: application/json`");
    }
    let target = head.uri.path_and_query().map_or(path, |target| target.as_str());
    rendered(service.answer_sender(&sender, &head.method, target, &body).await)
}

fn rendered(answer: Answer) -> Response<Body> {
    let kind = if answer.status.is_success() { "application/json" } else { "application/problem+json" };
    let empty = answer.json.is_empty();
    let mut response = json(answer.status, answer.json.into());
    let headers = response.headers_mut();
    if empty {
        headers.remove(header::CONTENT_TYPE);
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    // Keys are shown here, once.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(allow) = answer.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
        headers.insert(header::ALLOW, allow);
    }
    if let Some(seconds) = answer.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What was refused in the words of MCP, in those of this API.
fn as_problem(refusal: Response<Body>, instead: Option<&str>) -> Response<Body> {
    let (head, body) = refusal.into_parts();
    let told = match body {
        Body::Whole(Some(bytes)) => serde_json::from_slice::<serde_json::Value>(&bytes).ok(),
        _ => None,
    };
    let detail = instead.or_else(|| told.as_ref()?["error"]["message"].as_str());
    let mut response = rendered(Problem::new(head.status, detail.unwrap_or("the request is refused")).into());
    for name in KEPT {
        for value in head.headers.get_all(&name) {
            response.headers_mut().append(&name, value.clone());
        }
    }
    if let Some(close) = head.headers.get(header::CONNECTION) {
        response.headers_mut().insert(header::CONNECTION, close.clone());
    }
    response
}
