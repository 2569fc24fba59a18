//! Server-Sent Events (WHATWG HTML, section 9.2): a parser that takes bytes as they come, and a writer.

use bytes::{Buf as _, Bytes, BytesMut};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SseEvent {
    /// Its type, if not `message`.
    pub event: Option<String>,
    /// Its id.
    pub id: Option<String>,
    /// Its data, lines joined by `\n`.
    pub data: Bytes,
    /// Milliseconds to wait before reconnecting, if the server gave any.
    pub retry_ms: Option<u64>,
}

/// Why a stream of events cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {max} bytes")]
pub struct SseError {
    /// The bound.
    pub max: usize,
}

/// Parses events out of chunks of any size.
#[derive(Debug)]
pub struct SseParser {
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line end.
    searched: usize,
    event_bytes_max: usize,
    data: Vec<Bytes>,
    data_bytes: usize,
    event: Option<String>,
    id: Option<String>,
    retry_ms: Option<u64>,
    at_start: bool,
    /// The last line ended in CR at the end of a chunk: a LF that follows belongs to it.
    after_cr: bool,
}

impl SseParser {
    /// A parser that refuses events of more than `event_bytes_max`.
    #[must_use]
    pub fn new(event_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            event_bytes_max,
            data: Vec::new(),
            data_bytes: 0,
            event: None,
            id: None,
            retry_ms: None,
            at_start: true,
            after_cr: false,
        }
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole event, if there is one.
    ///
    /// # Errors
    /// When an event is larger than the bound.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, SseError> {
        while let Some(line) = self.line()? {
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
            } else {
                self.field(&line)?;
            }
        }
        Ok(None)
    }

    fn line(&mut self) -> Result<Option<Bytes>, SseError> {
        if self.at_start && !self.buffer.is_empty() {
            const BOM: &[u8] = b"\xef\xbb\xbf";
            if self.buffer.len() < BOM.len() && BOM.starts_with(&self.buffer) {
                return Ok(None);
            }
            if self.buffer.starts_with(BOM) {
                self.buffer.advance(BOM.len());
            }
            self.at_start = false;
        }
        if self.after_cr && !self.buffer.is_empty() {
            if self.buffer[0] == b'\n' {
                self.buffer.advance(1);
                self.searched = self.searched.saturating_sub(1);
            }
            self.after_cr = false;
        }
        let Some(found) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            if self.searched + self.data_bytes > self.event_bytes_max {
                return Err(SseError { max: self.event_bytes_max });
            }
            return Ok(None);
        };
        let end = self.searched + found;
        self.after_cr = self.buffer[end] == b'\r';
        let line = self.buffer.split_to(end).freeze();
        self.buffer.advance(1);
        self.searched = 0;
        Ok(Some(line))
    }

    fn field(&mut self, line: &Bytes) -> Result<(), SseError> {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(0) => return Ok(()),
            Some(at) => {
                let rest = if line.get(at + 1) == Some(&b' ') { at + 2 } else { at + 1 };
                (&line[..at], line.slice(rest..))
            }
            None => (&line[..], Bytes::new()),
        };
        match name {
            b"data" => {
                self.data_bytes += value.len() + 1;
                if self.data_bytes > self.event_bytes_max {
                    return Err(SseError { max: self.event_bytes_max });
                }
                self.data.push(value);
            }
            b"event" => self.event = String::from_utf8(value.to_vec()).ok(),
            b"id" if !value.contains(&0) => self.id = String::from_utf8(value.to_vec()).ok(),
            // Digits alone: a sign before them makes it no time (WHATWG HTML, section 9.2.6).
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let told = std::str::from_utf8(&value).ok().and_then(|t| t.parse().ok());
                self.retry_ms = told.or(self.retry_ms);
            }
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let parts = std::mem::take(&mut self.data);
        self.data_bytes = 0;
        let (event, id, retry_ms) = (self.event.take(), self.id.take(), self.retry_ms.take());
        if parts.is_empty() && id.is_none() && retry_ms.is_none() {
            return None;
        }
        let data = match parts.as_slice() {
            [] => Bytes::new(),
            [one] => one.clone(),
            many => Bytes::from(many.join(&b'\n')),
        };
        Some(SseEvent { event, id, data, retry_ms })
    }
}

/// Writes one `message` event. Line breaks in `data` become further `data` lines.
pub fn write_event(out: &mut Vec<u8>, data: &[u8]) {
    out.reserve(data.len() + 32);
    out.extend_from_slice(b"event: message\n");
    for line in data.split(|b| *b == b'\n') {
        out.extend_from_slice(b"data: ");
        // A lone CR would end the line too; between JSON tokens it is white space.
        out.extend(line.iter().map(|b| if *b == b'\r' { b' ' } else { *b }));
        out.push(b'\n');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::{SseEvent, SseParser, write_event};

    fn all(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut parser = SseParser::new(1024);
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(chunk);
            while let Some(event) = parser.next_event().unwrap() {
                events.push(event);
            }
        }
        events
    }

    const STREAM: &[u8] =
        b"\xef\xbb\xbf: hello\r\n\r\nid: 1\nretry: 500\ndata:\n\nevent: message\ndata: {\"a\":\ndata: 1}\r\n\r\ndata:x\r\rdata: tail";

    #[test]
    fn events_as_the_standard_says() {
        let events = all(&[STREAM]);
        assert_eq!(events.len(), 3);
        assert_eq!((events[0].id.as_deref(), events[0].retry_ms, events[0].data.len()), (Some("1"), Some(500), 0));
        assert_eq!(events[1].data.as_ref(), b"{\"a\":\n1}");
        assert_eq!(events[2].data.as_ref(), b"x");
    }

    #[test]
    fn a_time_is_digits_alone() {
        let events = all(&[b"retry: +5\ndata: a\n\nretry: 7\nretry: x\n\n"]);
        assert_eq!(events.iter().map(|e| e.retry_ms).collect::<Vec<_>>(), [None, Some(7)]);
    }

    #[test]
    fn too_large_is_refused() {
        let mut parser = SseParser::new(10);
        parser.push(b"data: 0123456789abcdef");
        assert!(parser.next_event().is_err());
    }

    proptest! {
        /// A stream cut at any points reads the same.
        #[test]
        fn cuts_do_not_matter(mut cuts in proptest::collection::vec(0..STREAM.len(), 0..8)) {
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut at = 0;
            for cut in cuts { chunks.push(&STREAM[at..cut]); at = cut; }
            chunks.push(&STREAM[at..]);
            prop_assert_eq!(all(&chunks), all(&[STREAM]));
        }

        #[test]
        fn what_is_written_is_read(text in "[ -~\n]{1,80}") {
            let mut out = Vec::new();
            write_event(&mut out, text.as_bytes());
            let events = all(&[&out]);
            prop_assert_eq!(events[0].data.as_ref(), text.as_bytes());
        }
    }
}
