//! Frames of WebSocket as RFC 6455 has them: spelled out from a few bytes, and read plainly from the whole of a stream.

use crate::pieces::Pieces;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Bytes of a control frame's payload.
const CONTROL_BYTES_MAX: usize = 125;

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
}

/// How it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It stops where more could come.
    Open,
    /// With a close frame: its code, if it has one.
    Closed(Option<u16>),
    /// A rule is broken.
    Broken,
    /// A frame or message is larger than the bound.
    Large,
    /// A text is no UTF-8; with a bound that is passed by the same frame, either may be told.
    NoText { large: bool },
}

/// A frame whose first byte is `first`; `how` chooses the form of its length, and whether the mask bit is as it has to be.
fn spell(out: &mut Vec<u8>, first: u8, how: u8, payload: &[u8], masked: bool) {
    out.push(first);
    let masked = masked != (how & 0x80 != 0);
    // A length that is not the payload's makes the rest of the stream be read elsewhere.
    let length = if how & 0x60 == 0x60 { usize::from(how & 0x1f) << (how & 0x1f) } else { payload.len() };
    let bit = if masked { MASKED } else { 0 };
    match (how >> 5 & 3, u8::try_from(length), u16::try_from(length)) {
        (0 | 3, Ok(short), _) if usize::from(short) <= CONTROL_BYTES_MAX => out.push(bit | short),
        (0 | 1 | 3, _, Ok(middle)) => {
            out.push(bit | 126);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = if masked { [how, first, 0x5a, 0xa5] } else { [0; 4] };
    if masked {
        out.extend_from_slice(&mask);
    }
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// A stream of frames, each described by two bytes and a payload up to the next NUL.
pub(crate) fn stream(mut pieces: Pieces<'_>, masked: bool) -> Vec<u8> {
    let mut out = Vec::new();
    while !pieces.rest().is_empty() {
        let (first, how) = (pieces.byte(), pieces.byte());
        spell(&mut out, first, how, pieces.until_nul(), masked);
    }
    out
}

/// Header of a frame, what it says of its payload, and what follows.
struct Frame {
    first: u8,
    masked: bool,
    payload: Vec<u8>,
}

/// Takes one frame; an end where there is none.
fn frame(rest: &mut &[u8], bytes_max: usize) -> Result<Frame, End> {
    let mut at = 0;
    let mut take = |count: usize| {
        let taken = rest.get(at..at + count).ok_or(End::Open)?;
        at += count;
        Ok(taken.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let (first, second) = (take(1)? as u8, take(1)? as u8);
    let length = match second & !MASKED {
        126 => take(2)?,
        127 => take(8)?,
        short => u64::from(short),
    };
    let masked = second & MASKED != 0;
    let mask = if masked { take(4)? as u32 } else { 0 }.to_be_bytes();
    // Of an opcode that nobody has defined, no payload is waited for.
    if !matches!(first & OPCODE, CONTINUATION..=BINARY | CLOSE..=PONG) {
        return Err(End::Broken);
    }
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= bytes_max) else {
        return Err(End::Large);
    };
    let payload = rest.get(at..at + length).ok_or(End::Open)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    *rest = &rest[at + length..];
    Ok(Frame { first, masked, payload })
}

/// Reads the whole of a stream: what it says, and how it ends. Of frames that came `masked` has to be true.
pub(crate) fn read(mut rest: &[u8], masked: bool, bytes_max: usize) -> (Vec<Heard>, End) {
    let mut heard = Vec::new();
    let mut open: Option<(u8, Vec<u8>)> = None;
    loop {
        let next = match frame(&mut rest, bytes_max) {
            Ok(next) => next,
            Err(end) => return (heard, end),
        };
        let (opcode, is_final, payload) = (next.first & OPCODE, next.first & FINAL != 0, next.payload);
        if next.first & RESERVED != 0 || next.masked != masked {
            return (heard, End::Broken);
        }
        if opcode >= CLOSE {
            if !is_final || payload.len() > CONTROL_BYTES_MAX {
                return (heard, End::Broken);
            }
            match opcode {
                PING => heard.push(Heard::Ping(payload)),
                PONG => heard.push(Heard::Pong),
                CLOSE => return (heard, closed(&payload)),
                _ => return (heard, End::Broken),
            }
            continue;
        }
        let (kind, mut message) = match (opcode, open.take()) {
            (CONTINUATION, Some(begun)) => begun,
            (TEXT | BINARY, None) => (opcode, Vec::new()),
            _ => return (heard, End::Broken),
        };
        message.extend_from_slice(&payload);
        let large = message.len() > bytes_max;
        // Text is read as it comes: what can never become UTF-8 is refused at once.
        let wrong = std::str::from_utf8(&message).err().filter(|error| is_final || error.error_len().is_some());
        match (kind, is_final) {
            (TEXT, _) if wrong.is_some() => return (heard, End::NoText { large }),
            _ if large => return (heard, End::Large),
            (TEXT, true) => heard.push(Heard::Text(message)),
            (_, true) => heard.push(Heard::Binary(message)),
            (_, false) => open = Some((kind, message)),
        }
    }
}

fn closed(payload: &[u8]) -> End {
    match payload {
        [] => End::Closed(None),
        [_] => End::Broken,
        [high, low, reason @ ..] if std::str::from_utf8(reason).is_ok() => {
            End::Closed(Some(u16::from_be_bytes([*high, *low])))
        }
        _ => End::NoText { large: false },
    }
}
