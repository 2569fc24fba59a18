//! One HTTP/1.1 keep-alive connection of the load generator: one exchange at a time, buffers kept, nothing allocated a call.
//!
//! Not hyper's client, on purpose: the generator shares its CPU with the upstream, and whatever it spends
//! is taken from what the gateways can be driven to.

use anyhow::{Context, bail, ensure};
use memchr::{memchr, memmem};
use std::net::SocketAddr;
use std::ops::Range;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer may be this long, head and body.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const BUFFER_BYTES: usize = 16 << 10;

/// The connection and the last answer on it.
pub(crate) struct Wire {
    stream: TcpStream,
    raw: Vec<u8>,
    filled: usize,
    unchunked: Vec<u8>,
}

/// Where the parts of an answer lie.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The body is an event stream.
    pub(crate) events: bool,
    /// The server closes the connection after this.
    pub(crate) closes: bool,
    chunked: bool,
    head: Range<usize>,
    body: Range<usize>,
}

impl Wire {
    /// Connects.
    pub(crate) async fn connect(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await.with_context(|| format!("cannot connect to {to}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, raw: vec![0; BUFFER_BYTES], filled: 0, unchunked: Vec::new() })
    }

    /// Sends a request and waits for the head of its answer: the status, and whether events follow. Nothing more is read.
    pub(crate) async fn open(&mut self, request: &[u8]) -> anyhow::Result<(u16, bool)> {
        let (head, _) = self.head(request).await?;
        Ok((head.status, head.events))
    }

    async fn head(&mut self, request: &[u8]) -> anyhow::Result<(Head, usize)> {
        self.stream.write_all(request).await.context("sending the request")?;
        self.filled = 0;
        let head_len = loop {
            let seen = self.filled.saturating_sub(3);
            self.fill().await.context("reading the answer's head")?;
            if let Some(at) = memmem::find(&self.raw[seen..self.filled], b"\r\n\r\n") {
                break seen + at + 4;
            }
        };
        Ok((Head::parse(&self.raw[..head_len])?, head_len))
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let (head, head_len) = self.head(request).await?;
        let body = self.body(&head, head_len).await.context("reading the answer's body")?;
        Ok(Answer {
            status: head.status,
            events: head.events,
            closes: head.closes,
            chunked: head.chunked,
            head: 0..head_len,
            body,
        })
    }

    /// The body of the last answer.
    pub(crate) fn body_of(&self, answer: &Answer) -> &[u8] {
        if answer.chunked { &self.unchunked } else { &self.raw[answer.body.clone()] }
    }

    /// A header of the last answer, by its lower-case name.
    pub(crate) fn header_of(&self, answer: &Answer, name: &str) -> Option<&str> {
        lines(&self.raw[answer.head.clone()]).find_map(|line| {
            let colon = memchr(b':', line)?;
            line[..colon]
                .eq_ignore_ascii_case(name.as_bytes())
                .then(|| str::from_utf8(line[colon + 1..].trim_ascii()).ok())?
        })
    }

    async fn body(&mut self, head: &Head, start: usize) -> anyhow::Result<Range<usize>> {
        if head.status == 204 {
            return Ok(start..start);
        }
        if head.chunked {
            return self.chunks(start).await.map(|()| start..start);
        }
        if let Some(length) = head.length {
            ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes is over the limit");
            while self.filled < start + length {
                self.fill().await?;
            }
            return Ok(start..start + length);
        }
        ensure!(head.closes, "an answer that says neither its length nor that it is chunked");
        while self.read_some().await? > 0 {}
        Ok(start..self.filled)
    }

    async fn chunks(&mut self, start: usize) -> anyhow::Result<()> {
        self.unchunked.clear();
        let mut at = start;
        loop {
            match next_chunk(&self.raw[at..self.filled])? {
                Some((data, used)) => {
                    self.unchunked.extend_from_slice(&self.raw[at + data.start..at + data.end]);
                    at += used;
                    if data.is_empty() {
                        return Ok(());
                    }
                }
                None => self.fill().await?,
            }
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        ensure!(self.read_some().await? > 0, "the connection was closed in the middle of an answer");
        Ok(())
    }

    async fn read_some(&mut self) -> anyhow::Result<usize> {
        if self.filled == self.raw.len() {
            ensure!(self.filled < ANSWER_BYTES_MAX, "an answer is over the limit of {ANSWER_BYTES_MAX} bytes");
            self.raw.resize(self.filled * 2, 0);
        }
        let read = self.stream.read(&mut self.raw[self.filled..]).await?;
        self.filled += read;
        Ok(read)
    }
}

/// What the head says of the body.
#[derive(Default)]
struct Head {
    status: u16,
    length: Option<usize>,
    chunked: bool,
    events: bool,
    closes: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let mut lines = lines(bytes);
        let first = lines.next().unwrap_or_default();
        let status =
            first.strip_prefix(b"HTTP/1.1 ").and_then(|rest| str::from_utf8(rest.get(..3)?).ok()?.parse().ok());
        let Some(status) = status else { bail!("not an HTTP/1.1 answer: {:?}", String::from_utf8_lossy(first)) };
        let mut head = Self { status, ..Self::default() };
        for line in lines {
            let Some(colon) = memchr(b':', line) else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            // By length first: most headers are none of these.
            match name.len() {
                10 if name.eq_ignore_ascii_case(b"connection") => head.closes = value.eq_ignore_ascii_case(b"close"),
                12 if name.eq_ignore_ascii_case(b"content-type") => {
                    head.events = value.starts_with(b"text/event-stream")
                }
                14 if name.eq_ignore_ascii_case(b"content-length") => {
                    head.length = Some(str::from_utf8(value)?.parse().context("content-length")?);
                }
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                    head.chunked = value.eq_ignore_ascii_case(b"chunked")
                }
                _ => {}
            }
        }
        Ok(head)
    }
}

/// The lines of a head.
fn lines(mut head: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr(b'\n', head)?;
        let line = &head[..end];
        head = &head[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// The next chunk: where its data lies and how many bytes it takes up; `None` if it is not all there. The last is empty.
fn next_chunk(bytes: &[u8]) -> anyhow::Result<Option<(Range<usize>, usize)>> {
    let Some(line) = memchr(b'\n', bytes) else { return Ok(None) };
    let size = bytes[..line].split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let size = usize::from_str_radix(str::from_utf8(size)?, 16).context("chunk size")?;
    ensure!(size <= ANSWER_BYTES_MAX, "a chunk of {size} bytes is over the limit");
    let end = line + 1 + size;
    if bytes.len() < end + 2 {
        return Ok(None);
    }
    ensure!(&bytes[end..end + 2] == b"\r\n", "a chunk that does not end where it says, or a trailer");
    Ok(Some((line + 1..end, end + 2)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Head, next_chunk};

    #[test]
    fn a_head_is_read_whatever_the_case_of_its_names() {
        let head = Head::parse(b"HTTP/1.1 200 OK\r\nContent-LENGTH: 12\r\nconnection: close\r\nX: y\r\n\r\n").unwrap();
        assert_eq!((head.status, head.length, head.closes, head.chunked), (200, Some(12), true, false));
        let head = Head::parse(b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n");
        let head = head.unwrap();
        assert!(head.chunked && head.events && head.length.is_none());
        assert!(Head::parse(b"SSH-2.0-x\r\n\r\n").is_err());
    }

    #[test]
    fn chunks_are_taken_whole_or_not_at_all() {
        let stream = b"5\r\nhello\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\n";
        for cut in 0..10 {
            assert!(next_chunk(&stream[..cut]).unwrap().is_none(), "cut at {cut}");
        }
        let (data, used) = next_chunk(stream).unwrap().unwrap();
        assert_eq!((&stream[data], used), (&b"hello"[..], 10));
        let (data, used) = next_chunk(&stream[10..]).unwrap().unwrap();
        assert_eq!(&stream[10..][data], b"0123456789");
        let (data, _) = next_chunk(&stream[10 + used..]).unwrap().unwrap();
        assert!(data.is_empty());
        assert!(next_chunk(b"3\r\nhello\r\n").is_err());
        assert!(next_chunk(b"zz\r\n").is_err());
    }
}
