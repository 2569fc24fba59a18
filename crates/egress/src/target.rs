//! Where requests go: an `http` or `https` URL taken apart once.

use http::Uri;
use http::header::HeaderValue;

use crate::error::EgressError;

/// One server's address.
#[derive(Debug, Clone)]
pub struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    path: http::uri::PathAndQuery,
    host_header: HeaderValue,
}

impl Target {
    /// Reads `url`.
    ///
    /// # Errors
    /// When it is no `http` or `https` URL with a host, or carries a user name (credentials belong into headers).
    pub fn parse(url: &str) -> Result<Self, EgressError> {
        let wrong = || EgressError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host_header = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        let path = uri.path_and_query().cloned().unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port, tls, path, host_header })
    }

    /// Host and port, for messages.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Path and query of requests.
    #[must_use]
    pub const fn path(&self) -> &http::uri::PathAndQuery {
        &self.path
    }

    /// The `Host` header.
    #[must_use]
    pub const fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// Scheme and authority, for requests over HTTP/2.
    pub(crate) fn absolute(&self, path: &http::uri::PathAndQuery) -> Option<Uri> {
        Uri::builder()
            .scheme(if self.tls { "https" } else { "http" })
            .authority(self.host_header.to_str().ok()?)
            .path_and_query(path.clone())
            .build()
            .ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Target;

    #[test]
    fn addresses() {
        let t = Target::parse("http://127.0.0.1:3000/mcp?x=1").unwrap();
        assert_eq!((t.host.as_str(), t.port, t.tls, t.path().as_str()), ("127.0.0.1", 3000, false, "/mcp?x=1"));
        let t = Target::parse("https://[::1]/").unwrap();
        assert_eq!((t.host.as_str(), t.port, t.tls), ("::1", 443, true));
        for bad in ["ftp://x/", "x", "http:///a", "http://u:p@h/", ""] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }
}
