//! What an authorization server says of itself (RFC 8414, OpenID Connect Discovery).

use std::time::Duration;

use omni_egress::Fetcher;
use serde_json::Value;

use crate::unique;

/// Bytes of such a document.
const METADATA_BYTES_MAX: usize = 128 * 1024;
/// For one document to come.
pub(crate) const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// What is needed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) keys_url: Option<String>,
    pub(crate) introspection_url: Option<String>,
}

/// Whether `url` may be asked: over TLS, or at this machine where the issuer itself is.
#[must_use]
pub fn may_be_asked(url: &str, issuer: &str) -> bool {
    url.starts_with("https://") || (is_local(url) && is_local(issuer))
}

fn is_local(url: &str) -> bool {
    let authority = url.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = authority.map(|authority| match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    });
    matches!(host, Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// Where the metadata of `issuer` may be: RFC 8414 section 3.1, then OpenID Connect Discovery, both ways.
fn places(issuer: &str) -> Vec<String> {
    let issuer = issuer.trim_end_matches('/');
    let after = issuer.find("://").map_or(0, |at| at + 3);
    let (origin, path) = match issuer[after..].find('/') {
        Some(at) => issuer.split_at(after + at),
        None => (issuer, ""),
    };
    let mut places = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        places.push(format!("{issuer}/.well-known/openid-configuration"));
    }
    places
}

/// Finds it. Only a document that says it is `issuer`'s, to the letter, is one (RFC 8414 section 3.3).
pub(crate) async fn discover(issuer: &str) -> Result<Metadata, String> {
    let mut why = String::new();
    for place in places(issuer) {
        match read(&place, issuer).await {
            Ok(metadata) => return Ok(metadata),
            Err(error) => why.push_str(&format!("{place}: {error}; ")),
        }
    }
    Err(why)
}

async fn read(place: &str, issuer: &str) -> Result<Metadata, String> {
    let fetcher = Fetcher::new(place, METADATA_BYTES_MAX, FETCH_TIMEOUT).map_err(|e| e.to_string())?;
    let fetched = fetcher.get().await.map_err(|e| e.to_string())?;
    if fetched.status != http::StatusCode::OK {
        return Err(format!("status {}", fetched.status.as_u16()));
    }
    let object = unique::object(&fetched.body).map_err(|e| e.to_string())?;
    if object.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(format!("it is not the metadata of `{issuer}`"));
    }
    let url = |name: &str| match object.get(name).and_then(Value::as_str) {
        Some(url) if may_be_asked(url, issuer) => Ok(Some(url.to_owned())),
        Some(_) => Err(format!("its `{name}` is no https:// address")),
        None => Ok(None),
    };
    Ok(Metadata { keys_url: url("jwks_uri")?, introspection_url: url("introspection_endpoint")? })
}

#[cfg(test)]
mod tests {
    use super::{may_be_asked, places};

    #[test]
    fn auth_3_metadata_is_looked_for_where_the_specifications_say() {
        assert_eq!(places("https://idp.example/a/b")[2], "https://idp.example/a/b/.well-known/openid-configuration");
        assert_eq!(places("https://idp.example/a/")[0], "https://idp.example/.well-known/oauth-authorization-server/a");
        assert_eq!(places("https://idp.example").len(), 2);
    }

    #[test]
    fn auth_3_only_over_tls_or_on_this_machine() {
        let far = "https://idp.example";
        assert!(may_be_asked("https://keys.example/k", far) && !may_be_asked("http://keys.example/k", far));
        assert!(
            !may_be_asked("http://127.0.0.1/k", far),
            "a provider elsewhere does not send the hub to its own machine"
        );
        let near = "http://localhost:3000";
        assert!(may_be_asked("http://127.0.0.1:1/k", near) && !may_be_asked("http://127.0.0.1.evil/k", near));
        assert!(!may_be_asked("http://localhost@evil/k", near) && !may_be_asked("file:///etc/passwd", near));
    }
}
