//! Answers as bytes: head and body in one write where they fit, events as chunks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::response::Parts;
use http::{StatusCode, header};
use tokio::io::AsyncWrite;

use crate::http::http1::date::append_date;

/// A body up to this size is copied behind its head; a longer one is written from where it is.
const COPIED_MAX: usize = 16 * 1024;

/// What is to be written.
#[derive(Default)]
pub(super) struct Outbox {
    first: Vec<u8>,
    /// Stands apart, in the middle.
    apart: Bytes,
    last: &'static [u8],
    written: usize,
}

impl Outbox {
    /// An answer that is there as a whole.
    pub(super) fn whole(&mut self, head: &Parts, body: Bytes) {
        self.head(head);
        // RFC 9110 section 8.6: none where there is no content by definition.
        if head.status != StatusCode::NO_CONTENT && !head.status.is_informational() {
            self.first.extend_from_slice(b"content-length: ");
            append_number(&mut self.first, body.len());
            self.first.extend_from_slice(b"\r\n");
        }
        self.first.extend_from_slice(b"\r\n");
        self.put(body, b"");
    }

    /// The head of an answer whose body is made as it is read.
    pub(super) fn begin(&mut self, head: &Parts) {
        self.head(head);
        self.first.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    }

    /// One piece of it. An empty one is left out: it would end the body.
    pub(super) fn chunk(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.first.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
            self.put(data, b"\r\n");
        }
    }

    /// The end of it.
    pub(super) fn last_chunk(&mut self) {
        self.first.extend_from_slice(b"0\r\n\r\n");
    }

    fn put(&mut self, data: Bytes, last: &'static [u8]) {
        if data.len() > COPIED_MAX {
            (self.apart, self.last) = (data, last);
        } else {
            self.first.extend_from_slice(&data);
            self.first.extend_from_slice(last);
        }
    }

    fn head(&mut self, head: &Parts) {
        let out = &mut self.first;
        if head.status == StatusCode::OK {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            out.extend_from_slice(head.status.as_str().as_bytes());
            out.push(b' ');
            out.extend_from_slice(head.status.canonical_reason().unwrap_or_default().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        for (name, value) in &head.headers {
            // Where the body ends is said here and nowhere else.
            if *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING {
                continue;
            }
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"date: ");
        append_date(out);
        out.extend_from_slice(b"\r\n");
    }

    /// Writes all there is.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        let (first, apart) = (self.first.len(), self.apart.len());
        let all = first + apart + self.last.len();
        while self.written < all {
            let at = self.written;
            let mut io = Pin::new(&mut *stream);
            let written = if apart == 0 {
                ready!(io.as_mut().poll_write(cx, &self.first[at..]))?
            } else {
                let rest = |piece: usize, before: usize| at.saturating_sub(before).min(piece);
                let pieces = [
                    IoSlice::new(&self.first[rest(first, 0)..]),
                    IoSlice::new(&self.apart[rest(apart, first)..]),
                    IoSlice::new(&self.last[rest(self.last.len(), first + apart)..]),
                ];
                let empty = pieces.iter().take_while(|piece| piece.is_empty()).count();
                ready!(io.as_mut().poll_write_vectored(cx, &pieces[empty..]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        ready!(Pin::new(stream).poll_flush(cx))?;
        self.first.clear();
        (self.apart, self.last, self.written) = (Bytes::new(), b"", 0);
        Poll::Ready(Ok(()))
    }

    /// Keeps no more memory than `bytes_max`.
    pub(super) fn shrink(&mut self, bytes_max: usize) {
        if self.first.capacity() > bytes_max {
            self.first = Vec::new();
        }
    }
}

/// Appends the decimal digits of `number`.
fn append_number(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
