//! One pass over an ordinary message: that it is JSON, where its members lie, what bounds its parameters keep, and that
//! no member of them stands twice.
//!
//! `None` says nothing about a message but that it is out of the ordinary (broken, nested deeply, names with escapes,
//! a member twice): then the exact readers decide, and say what is wrong. So what passes here must pass there, with the
//! same outcome; tests hold one against the other.

use std::ops::Range;

use crate::alike::is_alike;
use crate::outline::{Outline, Spelling};

/// Members of a message.
pub(crate) const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
/// Levels of nesting of an ordinary message.
const DEPTH_MAX: usize = 48;
/// Members of an ordinary object within the parameters: names are compared one by one.
const MEMBERS_MAX: usize = 24;
/// Members that are kept of `params` and of `params._meta` together.
const KEPT: usize = 12;

/// Where a member of `params` or of `params._meta` lies.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) in_meta: bool,
    /// Its name, without the quotes; it holds no escapes.
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// What bounds the parameters keep.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) depth: usize,
    pub(crate) string_bytes: usize,
    pub(crate) elements: usize,
    /// All members of `params` and `params._meta`.
    pub(crate) members: Vec<Member>,
}

/// Where the parts of a message lie.
#[derive(Debug, Default)]
pub(crate) struct Glance {
    pub(crate) jsonrpc: Option<Range<usize>>,
    pub(crate) id: Option<Range<usize>>,
    /// With its quotes; without escapes.
    pub(crate) method: Option<Range<usize>>,
    pub(crate) params: Option<Range<usize>>,
    pub(crate) result: Option<Range<usize>>,
    pub(crate) error: Option<Range<usize>>,
    /// Of parameters that are an object.
    pub(crate) shape: Option<Shape>,
    pub(crate) outline: Outline,
    pub(crate) spelling: Spelling,
}

/// Looks at `text`.
pub(crate) fn glance(text: &str) -> Option<Glance> {
    let (names, shape) = (Vec::new(), Shape::default());
    let mut eye = Eye { bytes: text.as_bytes(), at: 0, escapes: false, above: 0, names, shape };
    let mut found = Glance::default();
    eye.space();
    eye.take(b'{')?;
    eye.space();
    if eye.peek()? == b'}' {
        return None;
    }
    loop {
        let name = eye.name()?;
        let start = eye.at;
        let name = &eye.bytes[name];
        if name == b"params" && eye.peek()? == b'{' {
            eye.params()?;
            found.shape = Some(std::mem::take(&mut eye.shape));
        } else if name == b"result" && eye.peek()? == b'{' {
            found.outline = eye.result()?;
        } else {
            eye.value(1)?;
        }
        let place = match name {
            b"jsonrpc" => &mut found.jsonrpc,
            b"id" => &mut found.id,
            b"method" => &mut found.method,
            b"params" => &mut found.params,
            b"result" => &mut found.result,
            b"error" => &mut found.error,
            other if is_alike(std::str::from_utf8(other).ok()?, &ENVELOPE) => return None,
            _ => &mut None,
        };
        if place.replace(start..eye.at).is_some() {
            return None;
        }
        eye.space();
        match eye.next()? {
            b',' => eye.space(),
            b'}' => break,
            _ => return None,
        }
    }
    eye.space();
    found.spelling = Spelling { escapes: eye.escapes, odd_bytes: eye.above & HIGHS != 0 };
    let method_is_plain = found.method.clone().is_none_or(|m| is_plain_string(&eye.bytes[m]));
    (eye.at == eye.bytes.len() && method_is_plain).then_some(found)
}

/// A string without escapes, of a text that has been found to be JSON.
pub(crate) fn is_plain_string(value: &[u8]) -> bool {
    value.first() == Some(&b'"') && memchr::memchr(b'\\', value).is_none()
}

struct Eye<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether there was an escape in a string.
    escapes: bool,
    /// All that strings hold, each byte with one added: the highest bit of one is set where it is no printable ASCII.
    above: u64,
    /// Names of the objects that are open, one behind the other.
    names: Vec<&'a [u8]>,
    shape: Shape,
}

impl<'a> Eye<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// A name without escapes, and the colon behind it.
    fn name(&mut self) -> Option<Range<usize>> {
        self.take(b'"')?;
        let start = self.at;
        if self.string()? {
            return None;
        }
        let name = start..self.at - 1;
        self.space();
        self.take(b':')?;
        self.space();
        Some(name)
    }

    /// The rest of a string, up to and with its closing quote; whether it has escapes.
    fn string(&mut self) -> Option<bool> {
        let mut escaped = false;
        loop {
            self.at += plain_run(self.bytes.get(self.at..)?, &mut self.above);
            match self.next()? {
                b'"' => return Some(escaped),
                b'\\' => {
                    (escaped, self.escapes) = (true, true);
                    match self.next()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            let digits = self.bytes.get(self.at..self.at + 4)?;
                            self.at += 4;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                        }
                        _ => return None,
                    }
                }
                // A control character.
                _ => return None,
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.at += 1;
        let found = self.bytes.get(self.at..self.at + word.len())? == word;
        self.at += word.len();
        found.then_some(())
    }

    /// A value of which nothing but its end is of interest.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string().map(|_| ())
            }
            b'{' => self.each(depth, b'}', |eye| {
                eye.take(b'"')?;
                eye.string()?;
                eye.space();
                eye.take(b':')?;
                eye.space();
                eye.value(depth + 1)
            }),
            b'[' => self.each(depth, b']', |eye| eye.value(depth + 1)),
            b't' => self.word(b"rue"),
            b'f' => self.word(b"alse"),
            b'n' => self.word(b"ull"),
            _ => self.number(),
        }
    }

    /// What stands between the brackets, separated by commas.
    fn each(&mut self, depth: usize, end: u8, mut one: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.at += 1;
        self.space();
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            one(self)?;
            self.space();
            match self.next()? {
                b',' => self.space(),
                last if last == end => return Some(()),
                _ => return None,
            }
        }
    }

    /// A result that is an object: which of the members are there that somebody asks for.
    fn result(&mut self) -> Option<Outline> {
        let mut outline = Outline::BARE;
        self.each(1, b'}', |eye| {
            eye.take(b'"')?;
            let start = eye.at;
            let escaped = eye.string()?;
            let name = start..eye.at - 1;
            eye.space();
            eye.take(b':')?;
            eye.space();
            let start = eye.at;
            eye.value(2)?;
            outline.note((!escaped).then(|| &eye.bytes[name]), &eye.bytes[start..eye.at]);
            Some(())
        })?;
        Some(outline)
    }

    /// The parameters: an object whose members, and those of its `_meta`, are kept.
    fn params(&mut self) -> Option<()> {
        self.names.reserve(KEPT);
        self.shape.members.reserve(KEPT);
        self.judged_object(1, |eye, name| {
            let start = eye.at;
            if eye.bytes[name.clone()] == *b"_meta" && eye.peek()? == b'{' {
                eye.judged_object(2, |eye, name| {
                    let start = eye.at;
                    eye.judged(3)?;
                    eye.keep(true, name, start)
                })?;
            } else {
                eye.judged(2)?;
            }
            eye.keep(false, name, start)
        })
    }

    fn keep(&mut self, in_meta: bool, name: Range<usize>, start: usize) -> Option<()> {
        self.shape.members.push(Member { in_meta, name, value: start..self.at });
        Some(())
    }

    /// A value within the parameters. `depth` is what it has if it is an object or an array.
    fn judged(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => {
                let start = self.at + 1;
                self.at = start;
                self.string()?;
                self.shape.string_bytes = self.shape.string_bytes.max(self.at - 1 - start);
                Some(())
            }
            b'{' => self.judged_object(depth, |eye, _| eye.judged(depth + 1)),
            b'[' => {
                let mut count = 0;
                self.shape.depth = self.shape.depth.max(depth);
                self.each(depth, b']', |eye| {
                    count += 1;
                    eye.judged(depth + 1)
                })?;
                self.shape.elements = self.shape.elements.max(count);
                Some(())
            }
            _ => self.value(depth),
        }
    }

    fn judged_object(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, Range<usize>) -> Option<()>,
    ) -> Option<()> {
        let from = self.names.len();
        self.shape.depth = self.shape.depth.max(depth);
        self.each(depth, b'}', |eye| {
            let name = eye.name()?;
            let bytes: &'a [u8] = &eye.bytes[name.clone()];
            let before = &eye.names[from..];
            if before.len() >= MEMBERS_MAX || before.contains(&bytes) {
                return None;
            }
            eye.names.push(bytes);
            eye.shape.string_bytes = eye.shape.string_bytes.max(bytes.len());
            member(eye, name)
        })?;
        self.shape.elements = self.shape.elements.max(self.names.len() - from);
        self.names.truncate(from);
        Some(())
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
/// Bytes that are looked at together where a string is long.
const BLOCK: usize = 64;

/// How many bytes go before the first quote, backslash or control character; `above` gets all of them, with one added to
/// each, and perhaps some behind them. (No byte of UTF-8 is 0xff, so that nothing is carried on.)
fn plain_run(bytes: &[u8], above: &mut u64) -> usize {
    let mut at = 0;
    // Short strings are the usual case: eight bytes at a time, in one register.
    while let Some(word) = bytes.get(at..at + 8).and_then(|word| <[u8; 8]>::try_from(word).ok()) {
        let word = u64::from_le_bytes(word);
        let zero_in = |word: u64| word.wrapping_sub(ONES) & !word;
        let special = zero_in(word ^ (ONES * u64::from(b'"')))
            | zero_in(word ^ (ONES * u64::from(b'\\')))
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let special = special & HIGHS;
        *above |= word.wrapping_add(ONES);
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
        if at >= BLOCK {
            at += plain_blocks(&bytes[at..], above);
        }
    }
    let left = &bytes[at..];
    *above |= left.iter().fold(0, |all, b| all | u64::from(b.wrapping_add(1)));
    at + left.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)).unwrap_or(left.len())
}

/// The same in whole blocks. A function of its own, in two passes: together with more, or with both questions in one pass, the
/// compiler looks at each byte alone, which is up to seventeen times as dear.
#[inline(never)]
fn plain_blocks(bytes: &[u8], above: &mut u64) -> usize {
    let length = BLOCK * bytes.as_chunks().0.iter().take_while(|block| is_plain(block)).count();
    *above |= u64::from(bytes[..length].iter().fold(0, |all, b| all | b.wrapping_add(1)));
    length
}

/// Written without an early end and for a length that is known, so that the compiler compares many bytes in one instruction.
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let odd = |b: u8| u8::from(b < 0x20) | u8::from(b == b'"') | u8::from(b == b'\\');
    block.iter().fold(0, |all, b| all | odd(*b)) == 0
}

#[cfg(test)]
mod tests;
