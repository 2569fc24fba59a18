//! Lines of bounded length from a byte stream: the framing of MCP on stdio.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line taken, in bytes; a longer one is skipped and reported.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One thing read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A line without its end.
    Line(Vec<u8>),
    /// A line was longer than the bound and has been skipped.
    TooLong,
    /// The stream ended.
    End,
}

/// Reads frames; what was read of an unfinished line stays here, so that `next` may be dropped and called again.
pub(crate) struct Frames<R> {
    reader: R,
    line: Vec<u8>,
    overflowed: bool,
    bytes_max: usize,
}

impl<R: AsyncBufRead + Unpin> Frames<R> {
    pub(crate) fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, line: Vec::new(), overflowed: false, bytes_max }
    }

    /// The next non-empty line. A last line without a newline counts.
    pub(crate) async fn next(&mut self) -> io::Result<Frame> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            let ended = chunk.is_empty();
            let newline = memchr::memchr(b'\n', chunk);
            let part = &chunk[..newline.unwrap_or(chunk.len())];
            if self.line.len() + part.len() > self.bytes_max {
                self.overflowed = true;
                self.line = Vec::new();
            } else if !self.overflowed {
                self.line.extend_from_slice(part);
            }
            let used = newline.map_or(chunk.len(), |at| at + 1);
            self.reader.consume(used);
            if newline.is_none() && !ended {
                continue;
            }
            if std::mem::take(&mut self.overflowed) {
                return Ok(Frame::TooLong);
            }
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Frame::Line(line));
            }
            if ended {
                return Ok(Frame::End);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn frames_of(input: &[u8], bytes_max: usize) -> Vec<Frame> {
        // A buffer of three bytes makes every line cross a chunk.
        let mut frames = Frames::new(tokio::io::BufReader::with_capacity(3, input), bytes_max);
        let mut all = Vec::new();
        loop {
            let frame = frames.next().await.unwrap();
            let ended = frame == Frame::End;
            all.push(frame);
            if ended {
                return all;
            }
        }
    }

    fn line(text: &str) -> Frame {
        Frame::Line(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn lines_end_with_newline_or_stream_and_blank_ones_are_skipped() {
        let got = frames_of(b"one\r\n\n  \nlonger line\nlast", 100).await;
        assert_eq!(got, [line("one"), line("longer line"), line("last"), Frame::End]);
    }

    #[tokio::test]
    async fn a_line_over_the_bound_is_skipped_and_the_next_one_is_read() {
        let got = frames_of(b"12345\n123456\n1\n", 5).await;
        assert_eq!(got, [line("12345"), Frame::TooLong, line("1"), Frame::End]);
    }
}
