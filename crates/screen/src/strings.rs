//! The texts within a JSON text: looked at as what they mean, and put back only where they were changed.

use std::borrow::Cow;

use omni_protocol::Splice;

/// Members whose values are names, numbers and keys of the protocol's, and no text for anybody: to change one breaks the
/// conversation. Within structured content and arguments there are none.
const OPAQUE: &[&str] = &[
    "_meta",
    "blob",
    "cursor",
    "id",
    "jsonrpc",
    "method",
    "mimeType",
    "nextCursor",
    "progressToken",
    "requestId",
    "requestState",
    "resultType",
    "role",
    "taskId",
    "type",
    "uri",
    "uriTemplate",
];
/// Members whose values are the servers' and clients' own, all of them.
const OWN: &[&str] = &["structuredContent", "arguments", "inputSchema", "outputSchema"];

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A text.
    Text,
    /// The name of a member. It is never changed: two could become one.
    Name,
    /// A number, as it is written.
    Number,
}

/// Whether members of the protocol's own are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A message, or a result: they are.
    Message,
    /// Somebody's own value: there are none.
    Value,
}

/// Gives another text for a part, from what it is, what it means, and the name of the member it stands in.
pub(crate) type Change<'a, E> = &'a mut dyn FnMut(Part, &str, &str) -> Result<Option<String>, E>;

/// The JSON text with those parts replaced that `change` gives another text for; `None` where nothing changed. A number is
/// replaced by another number alone.
///
/// `json` has been found to be JSON before.
pub(crate) fn rewrite<E>(json: &str, reach: Reach, change: Change<'_, E>) -> Result<Option<String>, E> {
    let mut splice = Splice::new();
    let mut walk = Walk { json, at: 0, frames: Vec::with_capacity(8), own: (reach == Reach::Value).then_some(0) };
    while let Some((part, range)) = walk.next() {
        let raw = &json[range.clone()];
        let member = walk.frames.last().map_or(Cow::Borrowed(""), |frame| frame.name.clone());
        let (text, inner);
        match part {
            Part::Number => text = Cow::Borrowed(raw),
            Part::Text | Part::Name => {
                inner = &raw[1..raw.len() - 1];
                text = decoded(raw, inner);
            }
        }
        if let Some(new) = change(part, &text, &member)? {
            match part {
                Part::Text => splice.replace(range, serde_json::Value::from(new).to_string().into_bytes()),
                Part::Number => splice.replace(range, new.into_bytes()),
                Part::Name => {}
            }
        }
    }
    if splice.is_empty() {
        return Ok(None);
    }
    // Cut at the edges of JSON strings and numbers in valid UTF-8.
    Ok(String::from_utf8(splice.apply(json.as_bytes())).ok())
}

fn decoded<'a>(raw: &'a str, inner: &'a str) -> Cow<'a, str> {
    if inner.contains('\\') {
        // Only half of a pair of surrogates is not read by serde. Others read on behind it, so it is looked behind here.
        Cow::Owned(serde_json::from_str(raw).unwrap_or_else(|_| lossy(inner)))
    } else {
        Cow::Borrowed(inner)
    }
}

/// What the inside of a JSON string means, with U+FFFD for halves of pairs.
fn lossy(inner: &str) -> String {
    let unit = |escape: &str| u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (meant, length) = match unit(escape) {
            Some(first) => {
                let units = [Some(first), escape.get(6..).and_then(unit)].into_iter().flatten();
                let c = char::decode_utf16(units).next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER);
                (c, if c.len_utf16() == 2 { 12 } else { 6 })
            }
            None => match escape.chars().nth(1) {
                Some('b') => ('\u{8}', 2),
                Some('f') => ('\u{c}', 2),
                Some('n') => ('\n', 2),
                Some('r') => ('\r', 2),
                Some('t') => ('\t', 2),
                Some(other) => (other, 1 + other.len_utf8()),
                None => ('\\', 1),
            },
        };
        out.push(meant);
        rest = escape.get(length..).unwrap_or_default();
    }
    out + rest
}

struct Frame<'a> {
    is_object: bool,
    expects_name: bool,
    name: Cow<'a, str>,
}

struct Walk<'a> {
    json: &'a str,
    at: usize,
    frames: Vec<Frame<'a>>,
    /// From this depth on everything is somebody's own.
    own: Option<usize>,
}

impl<'a> Walk<'a> {
    /// The next part that is looked at, and where it stands.
    fn next(&mut self) -> Option<(Part, std::ops::Range<usize>)> {
        let bytes = self.json.as_bytes();
        while self.at < bytes.len() {
            let start = self.at;
            match bytes[start] {
                b'{' | b'[' => {
                    if self.opaque() {
                        self.skip();
                        continue;
                    }
                    let own = self.own.is_none() && self.named(OWN);
                    let is_object = bytes[start] == b'{';
                    self.frames.push(Frame { is_object, expects_name: is_object, name: Cow::Borrowed("") });
                    if own {
                        self.own = Some(self.frames.len());
                    }
                    self.at += 1;
                }
                b'}' | b']' => {
                    if self.own == Some(self.frames.len()) {
                        self.own = None;
                    }
                    self.frames.pop();
                    self.at += 1;
                }
                b',' => {
                    if let Some(frame) = self.frames.last_mut() {
                        frame.expects_name = frame.is_object;
                    }
                    self.at += 1;
                }
                b'"' => {
                    self.at = string_end(bytes, start);
                    let range = start..self.at.min(bytes.len());
                    if range.len() < 2 {
                        return None;
                    }
                    let raw = &self.json[range.clone()];
                    if let Some(frame) = self.frames.last_mut().filter(|frame| frame.expects_name) {
                        frame.expects_name = false;
                        frame.name = decoded(raw, &raw[1..raw.len() - 1]);
                        return Some((Part::Name, range));
                    }
                    if !self.opaque() {
                        return Some((Part::Text, range));
                    }
                }
                b'-' | b'0'..=b'9' => {
                    let rest = &bytes[start..];
                    let end =
                        rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
                    self.at = end.map_or(bytes.len(), |end| start + end);
                    if !self.opaque() {
                        return Some((Part::Number, start..self.at));
                    }
                }
                _ => self.at += 1,
            }
        }
        None
    }

    fn named(&self, names: &[&str]) -> bool {
        self.frames.last().is_some_and(|frame| frame.is_object && names.contains(&frame.name.as_ref()))
    }

    fn opaque(&self) -> bool {
        self.own.is_none() && self.named(OPAQUE)
    }

    /// Goes behind the object or list that begins here.
    fn skip(&mut self) {
        let bytes = self.json.as_bytes();
        let mut depth = 0_usize;
        while self.at < bytes.len() {
            match bytes[self.at] {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b'"' => {
                    self.at = string_end(bytes, self.at);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

/// Behind the string that opens at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}
