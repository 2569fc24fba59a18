//! The head of a request: what many requests have in common is written out once.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::target::Target;

/// Digits of the longest `content-length`.
const LENGTH_DIGITS_MAX: usize = 20;

/// What requests to one target have in common: method, path, headers.
#[derive(Debug, Clone)]
pub struct RequestHead {
    pub(crate) method: Method,
    pub(crate) path: PathAndQuery,
    pub(crate) headers: HeaderMap,
    /// As HTTP/1.1 writes it, up to the fields that differ.
    written: Bytes,
}

impl RequestHead {
    pub(crate) fn new(target: &Target, path: PathAndQuery, method: Method, mut headers: HeaderMap) -> Self {
        // Where a body ends is for the connection to say, never for a configured header.
        for name in [http::header::CONTENT_LENGTH, http::header::TRANSFER_ENCODING, http::header::CONNECTION] {
            headers.remove(name);
        }
        if !headers.contains_key(http::header::HOST) {
            headers.insert(http::header::HOST, target.host_header().clone());
        }
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(path.as_str().as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &headers {
            write_field(&mut out, name, value);
        }
        Self { method, path, headers, written: out.into() }
    }

    /// The headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The head with the fields `extra`, each in the place of those of its name.
    pub(crate) fn with(&self, target: &Target, extra: &[(HeaderName, HeaderValue)]) -> Self {
        let mut headers = self.headers.clone();
        for (name, value) in extra {
            headers.insert(name.clone(), value.clone());
        }
        Self::new(target, self.path.clone(), self.method.clone(), headers)
    }

    /// Whether a field of `extra` has a name that is among the common ones.
    pub(crate) fn has_any_of(&self, extra: &[(HeaderName, HeaderValue)]) -> bool {
        extra.iter().any(|(name, _)| self.headers.contains_key(name))
    }

    /// Writes the whole head of a request with a body of `length` bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>, extra: &[(HeaderName, HeaderValue)], length: usize) {
        out.extend_from_slice(&self.written);
        for (name, value) in extra {
            write_field(out, name, value);
        }
        if length > 0 || self.method == Method::POST {
            out.extend_from_slice(b"content-length: ");
            write_number(out, length);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// A header's value holds neither CR nor LF: its type sees to that.
fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_number(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0u8; LENGTH_DIGITS_MAX];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::RequestHead;
    use crate::Target;

    #[test]
    fn a_head_says_its_length_and_nothing_configured_says_another() {
        let target = Target::parse("http://127.0.0.1:80/mcp?x=1").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("content-length", HeaderValue::from_static("7"));
        headers.insert("transfer-encoding", HeaderValue::from_static("chunked"));
        headers.insert("x-key", HeaderValue::from_static("k"));
        let head = RequestHead::new(&target, target.path().clone(), Method::POST, headers);
        let extra = [(HeaderName::from_static("mcp-name"), HeaderValue::from_static("n"))];
        let mut out = Vec::new();
        head.write(&mut out, &extra, 1204);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "POST /mcp?x=1 HTTP/1.1\r\nx-key: k\r\nhost: 127.0.0.1:80\r\nmcp-name: n\r\ncontent-length: 1204\r\n\r\n"
        );
        assert!(!head.has_any_of(&extra) && head.with(&target, &extra).has_any_of(&extra));
        let mut empty = Vec::new();
        RequestHead::new(&target, target.path().clone(), Method::GET, HeaderMap::new()).write(&mut empty, &[], 0);
        assert!(!String::from_utf8(empty).unwrap().contains("content-length"));
    }
}
