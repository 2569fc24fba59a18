//! The head of an answer over HTTP/1.1, and by it where the body ends (RFC 9112 section 6.3). Whatever could be read in
//! two ways is refused: on a connection that is used again, the next answer would be read from the wrong place.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::{Buf as _, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::http1::chunks::Chunks;

/// Bytes of one answer's head.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Fields of one answer's head.
const FIELDS_MAX: usize = 100;
/// Bytes of a head that is remembered, and digits of its length.
const AGAIN_BYTES_MAX: usize = 1024;
const LENGTH_DIGITS_MAX: usize = 10;
const JSON: &[u8] = b"application/json";

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// All fields but those about the connection itself.
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// Whether the connection may be used again after the body.
    pub(crate) keeps: bool,
}

/// Where a body ends.
#[derive(Debug)]
pub(crate) enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// Where its chunks say.
    Chunked(Chunks),
    /// With the connection.
    UntilClose,
}

impl Framing {
    pub(crate) const fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_over(),
            Self::UntilClose => false,
        }
    }
}

/// What the fields about the connection say.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    keeps: bool,
}

impl Said {
    /// Takes note of a field, if it is about the connection.
    fn hears(&mut self, name: &str, value: &[u8]) -> Result<bool, String> {
        // Most names are told apart by their length alone.
        match name.len() {
            10 if name.eq_ignore_ascii_case("connection") => {
                for option in value.split(|b| *b == b',') {
                    self.closes |= option.trim_ascii().eq_ignore_ascii_case(b"close");
                    self.keeps |= option.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
                }
            }
            10 if name.eq_ignore_ascii_case("keep-alive") => {}
            14 if name.eq_ignore_ascii_case("content-length") => {
                let text = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let length = text.parse::<u64>().ok().filter(|_| digits).ok_or("its Content-Length is no number")?;
                if self.length.is_some_and(|known| known != length) {
                    return Err("it names two lengths".to_owned());
                }
                self.length = Some(length);
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err("its transfer coding is another than `chunked`".to_owned());
                }
                self.chunked = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn framing(&self, status: StatusCode, is_1_0: bool) -> Result<Framing, String> {
        if self.chunked && self.length.is_some() {
            return Err("it has both a Content-Length and a Transfer-Encoding".to_owned());
        }
        if self.chunked && is_1_0 {
            return Err("it is of HTTP/1.0 and has a Transfer-Encoding".to_owned());
        }
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Framing::Length(0));
        }
        Ok(match (self.chunked, self.length) {
            (true, _) => Framing::Chunked(Chunks::new()),
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::UntilClose,
        })
    }
}

/// Reads the heads of one connection's answers.
#[derive(Debug, Default)]
pub(super) struct Heads {
    last: Option<Box<Last>>,
}

/// The head that was read last. A server's answers are alike but for their length within a second, so that most need not
/// be read: equal bytes mean the same.
#[derive(Debug)]
struct Last {
    head: Box<[u8]>,
    /// Where its one length stands.
    length_at: Range<usize>,
    headers: HeaderMap,
    keeps: bool,
}

impl Heads {
    /// Takes a head out of `inbox`; `None` when it is not whole yet.
    pub(super) fn take(&mut self, inbox: &mut BytesMut) -> Result<Option<Head>, String> {
        if inbox.is_empty() {
            return Ok(None);
        }
        if let Some(last) = &self.last
            && let Some((head_bytes, length)) = last.again(inbox)
        {
            inbox.advance(head_bytes);
            let (headers, framing) = (last.headers.clone(), Framing::Length(length));
            return Ok(Some(Head { status: StatusCode::OK, headers, framing, keeps: last.keeps }));
        }
        let Some((head, head_bytes, length_at)) = read_head(inbox)? else { return Ok(None) };
        let plain = length_at.filter(|_| head.status == StatusCode::OK && head_bytes <= AGAIN_BYTES_MAX);
        self.last = plain.map(|length_at| {
            let (headers, keeps) = (head.headers.clone(), head.keeps);
            Box::new(Last { head: inbox[..head_bytes].into(), length_at, headers, keeps })
        });
        inbox.advance(head_bytes);
        Ok(Some(head))
    }
}

impl Last {
    /// Whether this head came again, with another length perhaps: where it ends, and that length.
    fn again(&self, came: &[u8]) -> Option<(usize, u64)> {
        let rest = came.strip_prefix(&self.head[..self.length_at.start])?;
        let digits = rest.iter().take(LENGTH_DIGITS_MAX + 1).take_while(|b| b.is_ascii_digit()).count();
        let behind = &self.head[self.length_at.end..];
        if !(1..=LENGTH_DIGITS_MAX).contains(&digits) || !rest[digits..].starts_with(behind) {
            return None;
        }
        let length = rest[..digits].iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        Some((self.length_at.start + digits + behind.len(), length))
    }
}

/// A head, its length, and where its `Content-Length` stands if it has just one.
type Found = (Head, usize, Option<Range<usize>>);

/// Reads the head at the beginning of `inbox`; `None` when it is not whole yet.
fn read_head(inbox: &[u8]) -> Result<Option<Found>, String> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let outcome = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, inbox, &mut fields);
    let length = match outcome {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if inbox.len() <= HEAD_BYTES_MAX => return Ok(None),
        Ok(_) => return Err(format!("its head has more than {HEAD_BYTES_MAX} bytes")),
        Err(httparse::Error::TooManyHeaders) => return Err(format!("its head has more than {FIELDS_MAX} fields")),
        Err(error) => return Err(format!("its head is not HTTP/1.1: {error}")),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or("its status is none")?;
    let is_1_0 = parsed.version == Some(0);
    let mut said = Said::default();
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for field in parsed.headers.iter() {
        if !said.hears(field.name, field.value)? {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| "a field's name is none")?;
            let value = match field.value {
                // What nearly every answer says needs no memory of its own.
                JSON => HeaderValue::from_static("application/json"),
                value => HeaderValue::from_bytes(value).map_err(|_| "a field's value holds control characters")?,
            };
            headers.append(name, value);
        }
    }
    let framing = if status.is_informational() { Framing::Length(0) } else { said.framing(status, is_1_0)? };
    let ends_with_connection = matches!(framing, Framing::UntilClose);
    let keeps = !said.closes && (!is_1_0 || said.keeps) && !ends_with_connection;
    headers.remove(header::TRAILER);
    let start = |value: &[u8]| value.as_ptr() as usize - inbox.as_ptr() as usize;
    let mut lengths = parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length_at = match (lengths.next(), lengths.next()) {
        (Some(one), None) if one.value.iter().all(u8::is_ascii_digit) => {
            Some(start(one.value)..start(one.value) + one.value.len())
        }
        _ => None,
    };
    Ok(Some((Head { status, headers, framing, keeps }, length, length_at)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::BytesMut;

    use super::{Framing, Heads};

    const FIRST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nx: y\r\nx: z\r\n\r\n";

    fn take(heads: &mut Heads, text: &str) -> String {
        let mut inbox = BytesMut::from(text.as_bytes());
        let head = heads.take(&mut inbox);
        format!("{head:?} {inbox:?}")
    }

    /// GW-1: the short way finds what the long way finds, for whatever comes after a head that was read.
    #[test]
    fn a_head_that_comes_again_is_read_alike() {
        let lengths = ["12", "9", "0", "007", "", "+1", "1 ", "1, 1", "12345678901", "99999999999999999999"];
        let behinds = [
            "\r\nx: y\r\nx: z\r\n\r\n",
            "\r\nx: y\r\nx: z\r\n\r\nbody",
            "\r\nx: y\r\n",
            "\r\n\r\n",
            "\r\nx: y\r\nx: z\r\nconnection: close\r\n\r\n",
        ];
        for first in [
            FIRST.to_owned(),
            FIRST.replace("x: y", "connection: close"),
            FIRST.replace("200", "204"),
            FIRST.replace("x: y", "content-length: 12"),
        ] {
            for length in lengths {
                for behind in behinds {
                    let next = first.replace("12\r\nx: y\r\nx: z\r\n\r\n", &format!("{length}{behind}"));
                    let mut heads = Heads::default();
                    take(&mut heads, &first);
                    assert_eq!(take(&mut heads, &next), take(&mut Heads::default(), &next), "{first} {next}");
                }
            }
        }
        let mut heads = Heads::default();
        let mut inbox = BytesMut::from(FIRST.as_bytes());
        heads.take(&mut inbox).unwrap().unwrap();
        assert!(heads.last.is_some());
        let mut inbox = BytesMut::from(FIRST.replace("12", "345").as_bytes());
        let head = heads.take(&mut inbox).unwrap().unwrap();
        assert!(matches!(head.framing, Framing::Length(345)) && head.headers.get_all("x").iter().count() == 2);
    }
}
