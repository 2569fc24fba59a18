//! stdio framing: one message a line (stdio transport, all revisions).

use std::borrow::Cow;

use bytes::{Buf as _, Bytes, BytesMut};

/// Collects bytes and gives them back line by line.
#[derive(Debug)]
pub struct LineBuffer {
    buffer: BytesMut,
    searched: usize,
    line_bytes_max: usize,
}

/// A line is longer than the bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {max} bytes")]
pub struct LineTooLong {
    /// The bound.
    pub max: usize,
}

impl LineBuffer {
    /// A buffer for lines of up to `line_bytes_max`.
    #[must_use]
    pub fn new(line_bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, line_bytes_max }
    }

    /// Where to read into.
    pub const fn space(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole line that is not blank, without its end.
    ///
    /// # Errors
    /// When a line grows past the bound.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, LineTooLong> {
        loop {
            let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                if self.searched > self.line_bytes_max {
                    return Err(LineTooLong { max: self.line_bytes_max });
                }
                return Ok(None);
            };
            let end = self.searched + found;
            self.searched = 0;
            if end > self.line_bytes_max {
                return Err(LineTooLong { max: self.line_bytes_max });
            }
            let mut line = self.buffer.split_to(end);
            self.buffer.advance(1);
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(line.freeze()));
            }
        }
    }
}

/// The JSON text `message` on one line: line breaks can only stand between its tokens, where a blank means the same.
#[must_use]
pub fn to_single_line(message: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', message).is_none() {
        return Cow::Borrowed(message);
    }
    Cow::Owned(message.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::{LineBuffer, to_single_line};

    fn lines(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut buffer = LineBuffer::new(64);
        let mut out = Vec::new();
        for chunk in chunks {
            buffer.space().extend_from_slice(chunk);
            while let Some(line) = buffer.next_line().unwrap() {
                out.push(line.to_vec());
            }
        }
        out
    }

    const TEXT: &[u8] = b"{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\"";

    #[test]
    fn whole_lines_only_and_bounded() {
        assert_eq!(lines(&[TEXT]), [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()]);
        let mut buffer = LineBuffer::new(4);
        buffer.space().extend_from_slice(b"12345");
        assert!(buffer.next_line().is_err());
        assert_eq!(to_single_line(b"{\"a\":\r\n1}").as_ref(), b"{\"a\":  1}");
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(cut in 0..TEXT.len()) {
            prop_assert_eq!(lines(&[&TEXT[..cut], &TEXT[cut..]]), lines(&[TEXT]));
        }
    }
}
