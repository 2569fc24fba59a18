//! A chunked body, taken apart strictly (RFC 9112 section 7.1): lines end with CR LF, sizes are plain hexadecimal, and
//! what is neither data nor size is bounded.

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes of one line: a size with its extensions, or a trailer field.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of all extensions and trailer fields of one body.
const ASIDE_BYTES_MAX: usize = 16 * 1024;
/// Digits of a chunk's size.
const SIZE_DIGITS_MAX: usize = 16;

/// How far a chunked body has been read.
#[derive(Debug)]
pub(crate) struct Chunks {
    state: State,
    aside: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Over,
}

/// What is there of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Some of it.
    Data(Bytes),
    /// Not enough to tell.
    Wait,
    /// Its end.
    End,
}

impl Chunks {
    pub(super) const fn new() -> Self {
        Self { state: State::Size, aside: 0 }
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Takes what is there out of `inbox`.
    pub(super) fn take(&mut self, inbox: &mut BytesMut) -> Result<Piece, String> {
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = self.line(inbox)? else { return Ok(Piece::Wait) };
                    let size = size_of(&line)?;
                    self.state = if size == 0 { State::Trailer } else { State::Data(size) };
                }
                State::Data(left) => {
                    if inbox.is_empty() {
                        return Ok(Piece::Wait);
                    }
                    let there = usize::try_from(left).unwrap_or(usize::MAX).min(inbox.len());
                    let left = left - there as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Piece::Data(inbox.split_to(there).freeze()));
                }
                State::DataEnd => match inbox.get(..2) {
                    Some(b"\r\n") => {
                        inbox.advance(2);
                        self.state = State::Size;
                    }
                    Some(_) => return Err("a chunk does not end where it says".to_owned()),
                    None => return Ok(Piece::Wait),
                },
                State::Trailer => {
                    let Some(line) = self.line(inbox)? else { return Ok(Piece::Wait) };
                    if line.is_empty() {
                        self.state = State::Over;
                    } else if !line.contains(&b':') {
                        return Err("a trailer field without a name".to_owned());
                    }
                }
                State::Over => return Ok(Piece::End),
            }
        }
    }

    /// The next line without its end; `None` when it is not whole yet.
    fn line(&mut self, inbox: &mut BytesMut) -> Result<Option<BytesMut>, String> {
        let looked_at = &inbox[..inbox.len().min(LINE_BYTES_MAX)];
        let Some(end) = memchr::memchr(b'\n', looked_at) else {
            if looked_at.len() == LINE_BYTES_MAX {
                return Err(format!("a line of its chunks has more than {LINE_BYTES_MAX} bytes"));
            }
            return Ok(None);
        };
        let mut line = inbox.split_to(end + 1);
        if line.get(end.wrapping_sub(1)) != Some(&b'\r') {
            return Err("a line of its chunks does not end with CR LF".to_owned());
        }
        line.truncate(end - 1);
        if line.contains(&b'\r') || line.contains(&0) {
            return Err("a line of its chunks holds control characters".to_owned());
        }
        let size = if matches!(self.state, State::Size) { SIZE_DIGITS_MAX } else { 0 };
        self.aside += line.len().saturating_sub(size);
        if self.aside > ASIDE_BYTES_MAX {
            return Err(format!("its chunks have more than {ASIDE_BYTES_MAX} bytes of extensions and trailer fields"));
        }
        Ok(Some(line))
    }
}

fn size_of(line: &[u8]) -> Result<u64, String> {
    let wrong = || "a chunk's size is no number".to_owned();
    let digits = line.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(line.len());
    let (size, rest) = line.split_at(digits);
    let rest = rest.trim_ascii();
    if size.is_empty() || size.len() > SIZE_DIGITS_MAX || !(rest.is_empty() || rest.starts_with(b";")) {
        return Err(wrong());
    }
    let text = std::str::from_utf8(size).map_err(|_| wrong())?;
    u64::from_str_radix(text, 16).map_err(|_| wrong())
}
