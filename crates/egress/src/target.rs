//! Where requests go: a URL taken apart once.

use std::sync::Arc;

use http::Uri;
use http::header::HeaderValue;
use http::uri::PathAndQuery;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::{Position, Url};

use crate::dial::Dial;
use crate::error::EgressError;

/// One server's address.
#[derive(Debug, Clone)]
pub struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    path: PathAndQuery,
    host_header: HeaderValue,
    pub(crate) dial: Option<Arc<dyn Dial>>,
    pub(crate) public_only: bool,
    /// To whom its certificate has to lead, where that is not the system's to say.
    pub(crate) roots: Option<Arc<rustls::RootCertStore>>,
}

impl Target {
    /// Reads `url`.
    ///
    /// # Errors
    /// When it is no `http`, `https`, `ws` or `wss` URL with a host, or carries a user name (credentials belong into headers).
    pub fn parse(url: &str) -> Result<Self, EgressError> {
        let wrong = || EgressError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host_header = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port, tls, path, host_header, dial: None, public_only: false, roots: None })
    }

    /// The same address, whose connections `dial` makes.
    #[must_use]
    pub fn dialed_by(self, dial: Arc<dyn Dial>) -> Self {
        Self { dial: Some(dial), ..self }
    }

    /// The same address, which is reached only where its name leads to the public Internet: this is asked of the very address that
    /// is connected to, so a name that means another one a moment later changes nothing.
    #[must_use]
    pub fn public_only(self) -> Self {
        Self { public_only: true, ..self }
    }

    /// The host, without port or brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.tls
    }

    /// The same address, whose certificate has to lead to one of these (PEM) and to no other.
    ///
    /// # Errors
    /// When there is none among them that can be read.
    pub fn trusting(self, pem: &[u8]) -> Result<Self, String> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| format!("is no PEM: {error}"))?;
            roots.add(certificate).map_err(|error| format!("holds what is no certificate: {error}"))?;
        }
        if roots.is_empty() {
            return Err("holds no certificate in PEM".to_owned());
        }
        Ok(Self { roots: Some(Arc::new(roots)), ..self })
    }

    /// Host and port, for messages.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Path and query of requests.
    #[must_use]
    pub const fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// Where `reference`, read at this address, leads: path and query at the same origin.
    ///
    /// # Errors
    /// When it is no reference, or leads to another origin.
    pub fn resolve(&self, reference: &str) -> Result<PathAndQuery, EgressError> {
        let scheme = if self.tls { "https" } else { "http" };
        let host = self.host_header.to_str().unwrap_or_default();
        let wrong = || EgressError::Address(reference.to_owned());
        let base = Url::parse(&format!("{scheme}://{host}{}", self.path)).map_err(|_| wrong())?;
        let found = base.join(reference).map_err(|_| wrong())?;
        if found.origin() != base.origin() || found.username() != "" || found.password().is_some() {
            return Err(EgressError::OtherOrigin { reference: reference.to_owned(), authority: self.authority() });
        }
        found[Position::BeforePath..Position::AfterQuery].parse().map_err(|_| wrong())
    }

    /// The `Host` header.
    #[must_use]
    pub const fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The address of a WebSocket here.
    pub(crate) fn absolute_websocket(&self) -> Option<Uri> {
        let scheme = if self.tls { "wss" } else { "ws" };
        let host = self.host_header.to_str().ok()?;
        Uri::builder().scheme(scheme).authority(host).path_and_query(self.path.clone()).build().ok()
    }

    /// Scheme and authority, for requests over HTTP/2.
    pub(crate) fn absolute(&self, path: &PathAndQuery) -> Option<Uri> {
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
        let t = Target::parse("wss://h/ws").unwrap();
        assert_eq!((t.host.as_str(), t.port, t.tls), ("h", 443, true));
        for bad in ["ftp://x/", "x", "http:///a", "http://u:p@h/", ""] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn references_stay_at_their_origin() {
        let t = Target::parse("http://127.0.0.1:3000/a/sse?x=1").unwrap();
        for (reference, path) in [
            ("/m?s=1", "/m?s=1"),
            ("m?s=1", "/a/m?s=1"),
            ("?s=1", "/a/sse?s=1"),
            ("../m", "/m"),
            ("http://127.0.0.1:3000/m#f", "/m"),
            ("/a b", "/a%20b"),
            (" /m\n", "/m"),
        ] {
            assert_eq!(t.resolve(reference).unwrap().as_str(), path, "{reference}");
        }
        for elsewhere in [
            "http://127.0.0.1:3001/m",
            "https://127.0.0.1:3000/m",
            "//example.com/m",
            "\\\\example.com/m",
            "http://localhost:3000/m",
            "http://u@127.0.0.1:3000/m",
            "file:///etc/passwd",
            "javascript:1",
            "http://[",
        ] {
            assert!(t.resolve(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
