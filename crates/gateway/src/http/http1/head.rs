//! Which requests are plain, and the head of one.
//!
//! Plain is what can be read in one way only: a POST of HTTP/1.1 to a path, its lines ended by CR LF, of one
//! `Content-Length` of digits, without `Transfer-Encoding`, `Expect`, `Upgrade`, `TE` or `Trailer`, and with no other
//! `Connection` than `keep-alive`. Nothing here repairs or refuses: whatever else comes is hyper's, from its first byte on.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

/// Bytes of a plain head.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Fields of a plain head.
const FIELDS_MAX: usize = 64;
/// Digits of a plain length.
const LENGTH_DIGITS_MAX: usize = 10;
/// How a plain request begins.
const BEGINNING: &[u8] = b"POST /";

/// Where the head of a plain request and its body end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) head_bytes: usize,
    pub(super) body_bytes: usize,
}

/// What stands at the beginning of what came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Plain(Plain),
    /// A request that is not plain, or none.
    Other,
    /// What may become a plain one.
    Part,
}

/// Reads heads.
#[derive(Debug)]
pub(super) struct Reader {
    body_bytes_max: usize,
    last: Option<Last>,
    /// So far what came was looked at, and from there on its last line goes.
    looked: usize,
    line: usize,
}

/// The head that was read last. The requests of a client are alike but for their length, so that most need not be read:
/// equal bytes mean the same.
#[derive(Debug)]
struct Last {
    head: Box<[u8]>,
    /// Where its length stands.
    length_at: Range<usize>,
    parts: Arc<Parts>,
}

impl Reader {
    pub(super) const fn new(body_bytes_max: usize) -> Self {
        Self { body_bytes_max, last: None, looked: 0, line: 0 }
    }

    /// The head that was read last, without what it says of the connection.
    pub(super) fn parts(&self) -> Option<Arc<Parts>> {
        self.last.as_ref().map(|last| Arc::clone(&last.parts))
    }

    /// Looks at what came, of which there is more each time until something was found.
    pub(super) fn read(&mut self, came: &[u8]) -> Found {
        if came.is_empty() {
            return Found::Part;
        }
        if self.looked == 0
            && let Some((head_bytes, length)) = self.last.as_ref().and_then(|last| last.again(came))
        {
            return self.plain(head_bytes, length);
        }
        let known = came.len().min(BEGINNING.len());
        if came[..known] != BEGINNING[..known] {
            return Found::Other;
        }
        match self.end(came) {
            None => Found::Other,
            Some(None) if came.len() > HEAD_BYTES_MAX => Found::Other,
            Some(None) => Found::Part,
            Some(Some(end)) => match understand(&came[..end]) {
                Some((last, length)) => {
                    self.last = Some(last);
                    self.plain(end, length)
                }
                None => Found::Other,
            },
        }
    }

    fn plain(&mut self, head_bytes: usize, body_bytes: usize) -> Found {
        (self.looked, self.line) = (0, 0);
        if head_bytes > HEAD_BYTES_MAX || body_bytes > self.body_bytes_max {
            return Found::Other;
        }
        Found::Plain(Plain { head_bytes, body_bytes })
    }

    /// Where the head ends, if it does; `None` when a line ends otherwise than it has to.
    fn end(&mut self, came: &[u8]) -> Option<Option<usize>> {
        for at in memchr::memchr_iter(b'\n', &came[self.looked..]) {
            let at = self.looked + at;
            if at == 0 || came[at - 1] != b'\r' {
                return None;
            }
            if at - self.line == 1 {
                return Some(Some(at + 1));
            }
            self.line = at + 1;
        }
        self.looked = came.len();
        Some(None)
    }
}

impl Last {
    /// Whether this head came again, with another length perhaps: where it ends, and that length.
    fn again(&self, came: &[u8]) -> Option<(usize, usize)> {
        let rest = came.strip_prefix(&self.head[..self.length_at.start])?;
        let digits = rest.iter().take(LENGTH_DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
        let length = number(&rest[..digits])?;
        let behind = &self.head[self.length_at.end..];
        rest[digits..].starts_with(behind).then(|| (self.length_at.start + digits + behind.len(), length))
    }
}

/// A number of nothing but digits.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > LENGTH_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What a whole head says, and the length of the body behind it; `None` when it is not plain.
fn understand(head: &[u8]) -> Option<(Last, usize)> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let read = httparse::ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, head, &mut fields);
    if read != Ok(httparse::Status::Complete(head.len())) || parsed.version != Some(1) || parsed.method != Some("POST")
    {
        return None;
    }
    let uri = Uri::try_from(parsed.path.filter(|path| path.starts_with('/'))?).ok()?;
    let (mut length, mut headers) = (None, HeaderMap::with_capacity(parsed.headers.len()));
    for field in parsed.headers.iter() {
        match HeaderName::from_bytes(field.name.as_bytes()).ok()? {
            http::header::CONTENT_LENGTH if length.is_none() => {
                let start = field.value.as_ptr() as usize - head.as_ptr() as usize;
                length = Some((number(field.value)?, start..start + field.value.len()));
            }
            http::header::CONNECTION if field.value.eq_ignore_ascii_case(b"keep-alive") => {}
            http::header::CONTENT_LENGTH
            | http::header::CONNECTION
            | http::header::TRANSFER_ENCODING
            | http::header::EXPECT
            | http::header::UPGRADE
            | http::header::TE
            | http::header::TRAILER => return None,
            name => drop(headers.append(name, HeaderValue::from_bytes(field.value).ok()?)),
        }
    }
    let (length, length_at) = length?;
    let (mut parts, ()) = Request::new(()).into_parts();
    (parts.method, parts.uri, parts.version, parts.headers) = (Method::POST, uri, Version::HTTP_11, headers);
    Some((Last { head: head.into(), length_at, parts: Arc::new(parts) }, length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Found, Plain, Reader};

    const GOOD: &str = "POST /mcp/x?y HTTP/1.1\r\nHost: localhost\r\nAccept: a\r\nContent-Length: 12\r\nX: y\r\n\r\n";

    fn read(head: &str) -> Found {
        Reader::new(1000).read(head.as_bytes())
    }

    #[test]
    fn gw_1_a_plain_head_is_read_whole_and_not_before() {
        let mut reader = Reader::new(1000);
        for cut in 0..GOOD.len() {
            assert_eq!(reader.read(&GOOD.as_bytes()[..cut]), Found::Part, "{cut}");
        }
        let plain = Found::Plain(Plain { head_bytes: GOOD.len(), body_bytes: 12 });
        assert_eq!(reader.read(format!("{GOOD}{{\"x\":\r\n\r\n").as_bytes()), plain);
        let parts = reader.parts().unwrap();
        assert_eq!((parts.uri.path(), parts.headers.len()), ("/mcp/x", 3));
        assert_eq!(parts.headers["host"], "localhost");
        assert_eq!(read(&GOOD.replace("X: y", "Connection: Keep-Alive")), {
            Found::Plain(Plain { head_bytes: GOOD.len() + 18, body_bytes: 12 })
        });
    }

    /// The short way finds what the long way finds, for whatever comes after a head that was read.
    #[test]
    fn gw_1_a_head_that_comes_again_is_read_alike() {
        let lengths =
            ["12", "9", "0", "1000", "1001", "007", "", "+1", "1 ", "1,1", "12345678901", "99999999999999999999"];
        for length in lengths {
            for behind in
                ["\r\nX: y\r\n\r\n", "\r\nX: z\r\n\r\n", "\r\nX: y\r\n\r\nPOST", "\nX: y\r\n\r\n", "\r\nX: y\r\n"]
            {
                let next = GOOD.replace("12\r\nX: y\r\n\r\n", &format!("{length}{behind}"));
                let mut reader = Reader::new(1000);
                assert!(matches!(reader.read(GOOD.as_bytes()), Found::Plain(_)));
                let again = reader.read(next.as_bytes());
                assert_eq!(again, read(&next), "{next}");
                if let Found::Plain(_) = again {
                    assert_eq!(reader.parts().unwrap().headers["x"], if behind.contains('z') { "z" } else { "y" });
                }
            }
        }
    }

    #[test]
    fn gw_1_what_can_be_read_in_two_ways_is_not_plain() {
        let field = |field: &str| GOOD.replace("X: y", field);
        let others = [
            field("Content-Length: 12"),
            field("Content-Length: 13"),
            field("content-length: 12"),
            field("Transfer-Encoding: chunked"),
            field("Transfer-Encoding: identity"),
            field("transfer-encoding:\tchunked"),
            field("Expect: 100-continue"),
            field("Upgrade: h2c"),
            field("TE: trailers"),
            field("Trailer: x"),
            field("Connection: close"),
            field("Connection: keep-alive, upgrade"),
            field("Connection: content-length"),
            field("X : y"),
            field("X: a\r\n b"),
            field(" X: y"),
            field("X: a\rb"),
            field("X: a\nY: b"),
            field("X: \u{1}"),
            field("X"),
            GOOD.replace("12\r\n", "+12\r\n"),
            GOOD.replace("12\r\n", "-1\r\n"),
            GOOD.replace("12\r\n", "0x12\r\n"),
            GOOD.replace("12\r\n", "1 2\r\n"),
            GOOD.replace("12\r\n", "12,12\r\n"),
            GOOD.replace("12\r\n", "\r\n"),
            GOOD.replace("12\r\n", "1001\r\n"),
            GOOD.replace("12\r\n", "99999999999999999999\r\n"),
            GOOD.replace("Content-Length: 12\r\n", ""),
            GOOD.replace("\r\n", "\n"),
            GOOD.replace("HTTP/1.1", "HTTP/1.0"),
            GOOD.replace("HTTP/1.1", "HTTP/2.0"),
            GOOD.replace("POST", "GET"),
            GOOD.replace("POST", "post"),
            GOOD.replace("POST /", "POST http://other/"),
            GOOD.replace("POST /", "POST *"),
            GOOD.replace("POST ", "POST  "),
            GOOD.replace(" HTTP", "  HTTP"),
            format!("\r\n{GOOD}"),
            format!(" {GOOD}"),
            GOOD.replace("X: y", "X: y\r\n".repeat(100).trim_end()),
            GOOD.replace("X: y", &format!("X: {}", "y".repeat(9_000))),
            format!("POST /{}", "y".repeat(9_000)),
            "SSH-2.0-x\r\n".to_owned(),
        ];
        for other in others {
            assert_eq!(read(&other), Found::Other, "{}", other.chars().take(200).collect::<String>());
        }
    }
}
