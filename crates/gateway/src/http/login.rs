//! Who knocks: the sender of a request is identified by its headers, before its body is read; a stranger is told how to log
//! in (RFC 6750, RFC 9728).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use omni_hub::{Credentials, Identified, Refusal, RefusalKind};
use omni_protocol::Version;
use omni_types::{Fault, FaultKind};
use serde_json::json;

use crate::fault;
use crate::http::body::Body;
use crate::http::challenged::Challenged;
use crate::http::guest::Guest;
use crate::http::reply::{json, refuse, whole_seconds};
use crate::http::shared::Shared;

/// Where the metadata of a protected resource is (RFC 9728 section 3): this, then the path of the resource.
pub(crate) const METADATA: &str = "/.well-known/oauth-protected-resource";
/// The admin API, as a resource that tokens are for.
pub(crate) const ADMIN_RESOURCE: &str = "/admin/v1";
/// Where a proxy before the hub writes the client's address.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Seconds for a client to wait before it tries again, when nobody can tell whose a token is.
const RETRY_AFTER_S: u64 = 5;

/// Who sends a request to the endpoint at `path`.
pub(crate) async fn sender(
    guest: &Guest,
    method: &Method,
    headers: &HeaderMap,
    path: &str,
) -> Result<Identified, Box<Response<Body>>> {
    let path = resource_path(path);
    sender_for(guest, method, headers, (path, path)).await
}

/// Who sends a request to `path`, which is a part of the resource `resource`.
pub(crate) async fn sender_for(
    guest: &Guest,
    method: &Method,
    headers: &HeaderMap,
    (path, resource): (&str, &str),
) -> Result<Identified, Box<Response<Body>>> {
    let shared = &*guest.shared;
    let credentials = Credentials {
        headers,
        method: method.as_str(),
        path,
        resource,
        bases: &shared.bases,
        certified: guest.certified(),
        source: None,
    };
    let identified = shared.hub.identify(&credentials, address(guest, headers)).await;
    identified.map_err(|refusal| Box::new(refused(shared, headers, resource, &refusal)))
}

/// Whether the sender may know what stands behind the hub: a program of this machine, or somebody who has logged in.
pub(crate) async fn is_at_home(guest: &Guest, method: &Method, headers: &HeaderMap) -> bool {
    let is_here = guest.address.is_loopback() && !guest.shared.behind_proxy;
    is_here || sender(guest, method, headers, "/mcp").await.is_ok()
}

/// Where the client is: the other end of the connection, or what the proxy says that the operator put there. Where that
/// proxy does not say, nobody knows: its own address, which is often this machine's, must not pass for a client's.
fn address(guest: &Guest, headers: &HeaderMap) -> IpAddr {
    if !guest.shared.behind_proxy {
        return guest.address;
    }
    forwarded_for(headers).unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
}

/// Whom the nearest proxy names. What clients write themselves stands before it and is not believed.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    let node = last.rsplit(',').next()?.trim();
    // Some proxies add the port.
    node.parse().ok().or_else(|| node.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

/// A slash at the end says nothing.
fn resource_path(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

fn refused(shared: &Shared, headers: &HeaderMap, path: &str, refusal: &Refusal) -> Response<Body> {
    let (status, kind) = match refusal.kind() {
        RefusalKind::Malformed => (StatusCode::BAD_REQUEST, FaultKind::InvalidRequest),
        RefusalKind::Scope => (StatusCode::FORBIDDEN, FaultKind::InsufficientScope),
        RefusalKind::TooMany => (StatusCode::TOO_MANY_REQUESTS, FaultKind::Busy),
        RefusalKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, FaultKind::Busy),
        _ => (StatusCode::UNAUTHORIZED, FaultKind::Unauthenticated),
    };
    let mut response =
        json(status, fault::body(&Fault::new(kind, refusal.public()), None, Version::LATEST_LEGACY).into());
    if kind == FaultKind::Busy {
        let told = refusal.retry_after().map(whole_seconds);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(told.unwrap_or(RETRY_AFTER_S)));
        return response;
    }
    if let Some(nonce) = refusal.nonce().and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
        response.headers_mut().insert("dpop-nonce", nonce);
    }
    let challenge = Challenge { error: refusal.code(), why: refusal.public(), scopes: refusal.scopes() };
    challenge.put(shared, headers, path, &mut response);
    response
}

/// Puts the challenge into an answer that a stage's fault wants one in.
pub(crate) fn challenge(shared: &Shared, headers: &HeaderMap, path: &str, response: &mut Response<Body>) {
    let Some(fault) = Challenged::take(response) else { return };
    let error = match fault.kind() {
        FaultKind::InsufficientScope => "insufficient_scope",
        _ => "invalid_token",
    };
    let challenge = Challenge { error: Some(error), why: fault.public(), scopes: fault.scopes() };
    challenge.put(shared, headers, resource_path(path), response);
}

/// What `WWW-Authenticate` says.
struct Challenge<'a> {
    error: Option<&'static str>,
    why: &'a str,
    /// All that are needed; empty for those that every token needs.
    scopes: &'a [String],
}

impl Challenge<'_> {
    fn put(&self, shared: &Shared, headers: &HeaderMap, path: &str, response: &mut Response<Body>) {
        let mut told = String::from("realm=\"omni\"");
        let authenticator = shared.hub.authenticator();
        if authenticator.has_providers() {
            let _infallible = write!(told, ", resource_metadata=\"{}{METADATA}{path}\"", base(shared, headers));
            let scopes = if self.scopes.is_empty() { authenticator.scopes() } else { self.scopes };
            if !scopes.is_empty() {
                let _infallible = write!(told, ", scope=\"{}\"", scopes.join(" "));
            }
        }
        if let Some(error) = self.error {
            let _infallible = write!(told, ", error=\"{error}\", error_description=\"{}\"", quotable(self.why));
        }
        let schemes = [
            Some(("Bearer", String::new())),
            authenticator.proof_algorithms().map(|algs| ("DPoP", format!(", algs=\"{algs}\""))),
        ];
        for (scheme, algs) in schemes.into_iter().flatten() {
            if let Ok(value) = HeaderValue::from_str(&format!("{scheme} {told}{algs}")) {
                response.headers_mut().append(header::WWW_AUTHENTICATE, value);
            }
        }
    }
}

/// What RFC 6750 section 3 lets stand in a description.
fn quotable(text: &str) -> String {
    let stands = |c: char| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '\'' };
    text.chars().map(stands).collect()
}

/// The origin by which this client knows the hub.
fn base<'a>(shared: &'a Shared, headers: &HeaderMap) -> &'a str {
    shared.bases.known_as(headers.get(header::HOST).and_then(|host| host.to_str().ok()))
}

/// The metadata of the resource at `path`: which authorization servers give out tokens for it (RFC 9728 section 2).
///
/// Nobody learns here whether there is a server of that name.
pub(crate) fn metadata(shared: &Shared, headers: &HeaderMap, path: &str) -> Response<Body> {
    let path = resource_path(if path.is_empty() { "/mcp" } else { path });
    let authenticator = shared.hub.authenticator();
    let is_here = if shared.admin.is_some() { path == ADMIN_RESOURCE } else { is_resource(path) };
    if !authenticator.has_providers() || !is_here {
        return refuse(StatusCode::NOT_FOUND, "no authorization server gives out tokens for this hub");
    }
    let mut metadata = json!({
        "resource": format!("{}{path}", base(shared, headers)),
        "resource_name": "Omni MCP Hub",
        "authorization_servers": authenticator.issuers(),
        "bearer_methods_supported": ["header"],
    });
    if !authenticator.scopes().is_empty() {
        metadata["scopes_supported"] = json!(authenticator.scopes());
    }
    if let Some(algorithms) = authenticator.proof_algorithms() {
        metadata["dpop_signing_alg_values_supported"] = json!(algorithms.split(' ').collect::<Vec<_>>());
        metadata["dpop_bound_access_tokens_required"] = json!(authenticator.wants_proof());
    }
    let mut response = json(StatusCode::OK, metadata.to_string().into());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// `/mcp`, `/sse`, or a name of a server's or profile's form below them.
fn is_resource(path: &str) -> bool {
    let rest = path.strip_prefix("/mcp").or_else(|| path.strip_prefix("/sse"));
    rest.is_some_and(|rest| {
        let name = rest.strip_prefix('/').unwrap_or("-");
        let name = name.strip_prefix("p/").unwrap_or(name);
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        rest.is_empty() || (rest.starts_with('/') && named)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::{HeaderMap, HeaderValue};

    use super::forwarded_for;

    /// TOOL-2: a policy for this machine's clients must not hold for everybody behind a proxy that says nothing.
    #[test]
    fn tool_2_the_nearest_proxy_is_believed_and_nobody_else() {
        let told = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", HeaderValue::from_static(value));
            }
            forwarded_for(&headers).map(|address| address.to_string())
        };
        for (values, address) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["127.0.0.1, 192.0.2.7"], "192.0.2.7"),
            (&["127.0.0.1", "10.0.0.1,192.0.2.7 "], "192.0.2.7"),
            (&["192.0.2.7:50123"], "192.0.2.7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["[2001:db8::7]:50123"], "2001:db8::7"),
        ] {
            assert_eq!(told(values).unwrap(), address, "{values:?}");
        }
        for values in [&[][..], &[""], &["127.0.0.1,"], &["127.0.0.1", ""], &["127.0.0.1, unknown"], &["_hidden"]] {
            assert_eq!(told(values), None, "{values:?}");
        }
    }
}
