//! Keys and tokens: by the shapes that their makers gave them so that they are found, and, where something is called a secret,
//! by whether it looks like chance.

mod prefix;
mod shape;

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::detect::entropy;
use crate::detect::keys::shape::{Of, PEM, SHAPES, Shape, words};
use crate::detect::kind::{Finding, Kind};

/// Bits of a byte below which something of the right shape is a placeholder: `ghp_xxxxxxxx`.
const SHAPED_BITS_MIN: f64 = 2.8;
/// The same where only a name says that it is a secret.
const NAMED_BITS_MIN: f64 = 3.5;
/// Bytes of a secret that only its name tells.
const NAMED_BYTES: std::ops::RangeInclusive<usize> = 20..=200;
/// Bytes of a private key in PEM.
const PEM_BYTES_MAX: usize = 16 * 1024;

/// What secrets are called.
const NAMES: &[&str] = &[
    "api_key",
    "apikey",
    "api-key",
    "api key",
    "secret",
    "token",
    "passwd",
    "password",
    "access_key",
    "accesskey",
    "access-key",
    "credential",
    "private_key",
    "privatekey",
    "bearer",
];

fn prefixes() -> Option<&'static AhoCorasick> {
    static ALL: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    ALL.get_or_init(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(words()).ok()).as_ref()
}

fn names() -> Option<&'static AhoCorasick> {
    static ALL: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    ALL.get_or_init(|| AhoCorasick::builder().ascii_case_insensitive(true).build(NAMES).ok()).as_ref()
}

/// Whether bytes could hold a key: `false` is sure.
pub(super) fn might_hold(bytes: &[u8], named: bool) -> bool {
    prefix::is_in(bytes) || named && names().is_some_and(|all| all.is_match(bytes))
}

/// Adds the keys in `text`.
pub(super) fn find(text: &str, member: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    for hit in prefixes().into_iter().flat_map(|all| all.find_iter(text)) {
        let start = hit.start();
        let add = match hit.pattern().as_usize() {
            at if at < SHAPES.len() => shaped(bytes, start, &SHAPES[at]).map(|end| (start..end, SHAPES[at].4)),
            at if at == SHAPES.len() => token(bytes, start).map(|end| (start..end, "JWT")),
            at if at == SHAPES.len() + 1 => private_key(text, start).map(|end| (start..end, "private key")),
            _ => password(bytes, hit.end()).map(|range| (range, "password in a URL")),
        };
        found.extend(add.map(|(range, label)| Finding { range, kind: Kind::Key, label }));
    }
    if names().is_some_and(|all| all.is_match(member)) && looks_secret(bytes) {
        found.push(Finding { range: 0..text.len(), kind: Kind::Unknown, label: "secret" });
        return;
    }
    for hit in names().into_iter().flat_map(|all| all.find_iter(text)) {
        found.extend(named(bytes, hit.end()).map(|range| Finding { range, kind: Kind::Unknown, label: "secret" }));
    }
}

fn shaped(bytes: &[u8], start: usize, shape: &Shape) -> Option<usize> {
    let Shape(prefix, of, least, most, _) = shape;
    let from = start + prefix.len();
    let before = start.checked_sub(1).map(|at| bytes[at]);
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let end = (from..bytes.len()).find(|at| !of.has(bytes[*at])).unwrap_or(bytes.len());
    let body = &bytes[from..end];
    let example = body.windows(7).any(|seven| seven == b"EXAMPLE");
    let fits = (*least..=*most).contains(&body.len()) && entropy::bits(body) >= SHAPED_BITS_MIN && !example;
    fits.then_some(end)
}

/// A JSON Web Token: header and payload are objects in Base64, and there is a signature.
fn token(bytes: &[u8], start: usize) -> Option<usize> {
    if start.checked_sub(1).is_some_and(|before| Of::Url.has(bytes[before]) || bytes[before] == b'.') {
        return None;
    }
    let part = |from: usize| (from..bytes.len()).find(|at| !Of::Url.has(bytes[*at])).unwrap_or(bytes.len());
    let header = part(start);
    let payload = part((header + 1).min(bytes.len()));
    let signature = part((payload + 1).min(bytes.len()));
    let dots = bytes.get(header) == Some(&b'.') && bytes.get(payload) == Some(&b'.');
    let is_object = bytes.get(header + 1..).is_some_and(|rest| rest.starts_with(b"eyJ"));
    (dots && is_object && header - start >= 12 && signature - payload > 16).then_some(signature)
}

/// A private key in PEM, up to its end, or what there is of it.
fn private_key(text: &str, start: usize) -> Option<usize> {
    let rest = &text[start..];
    let head = rest.get(PEM.len()..)?;
    let label = head.split("-----").next().filter(|label| label.len() < 40 && label.ends_with("PRIVATE KEY"))?;
    let body = PEM.len() + label.len() + 5;
    let end = format!("-----END {label}-----");
    let near = rest.len().min(PEM_BYTES_MAX);
    let found = rest.find(&end).filter(|at| *at < near).map(|at| at + end.len());
    // Words about a key are no key.
    let has_key = rest.bytes().skip(body).take(80).filter(|byte| byte.is_ascii_alphanumeric()).count() >= 40;
    let cut = (0..=near).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
    has_key.then(|| start + found.unwrap_or(cut))
}

/// The password of `scheme://user:password@host`.
fn password(bytes: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
    let stop = |byte: u8| byte.is_ascii_whitespace() || b"/?#\"'<>\\`".contains(&byte);
    let end = (from..bytes.len()).take(512).find(|at| stop(bytes[*at])).unwrap_or(bytes.len().min(from + 512));
    let authority = &bytes[from..end];
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority[..at].iter().position(|byte| *byte == b':')?;
    let word = &authority[colon + 1..at];
    let placeholder = word.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.'))
        || word.iter().any(|byte| b"${}[]()".contains(byte))
        || [&b"password"[..], b"pass", b"pwd", b"secret", b"PASSWORD"].contains(&word);
    (word.len() >= 3 && !placeholder).then_some(from + colon + 1..from + at)
}

/// What is said to be a secret: after the name `:` or `=`, perhaps in quotes.
fn named(bytes: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
    let mut at = from;
    let mut assigned = false;
    while let Some(byte) = bytes.get(at).filter(|_| at - from < 24) {
        match byte {
            b' ' | b'"' | b'\'' | b'`' => {}
            b':' | b'=' | b'>' => assigned = true,
            byte if !assigned && (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) => {}
            _ => break,
        }
        at += 1;
    }
    let value = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.~".contains(&byte);
    // Letters before the sign belong to the name; those after it begin the value.
    let mut start = (from..at)
        .rfind(|at| matches!(bytes[*at], b':' | b'=' | b'>' | b' ' | b'"' | b'\'' | b'`'))
        .map_or(from, |at| at + 1);
    start = start.max(from);
    if !assigned || bytes.get(start).is_none_or(|byte| !value(*byte)) {
        return None;
    }
    let end = (start..bytes.len()).find(|at| !value(bytes[*at])).unwrap_or(bytes.len());
    looks_secret(&bytes[start..end]).then_some(start..end)
}

fn looks_secret(value: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    let path =
        value.iter().filter(|byte| **byte == b'/').count() > 3 || value.starts_with(b"/") || value.starts_with(b"./");
    let example = value.windows(7).any(|seven| seven.eq_ignore_ascii_case(b"EXAMPLE"));
    NAMED_BYTES.contains(&value.len())
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !value.iter().any(u8::is_ascii_whitespace)
        && !path
        && !example
        && !is_uuid(value)
        && !is_words(value)
        && entropy::bits(value) >= NAMED_BITS_MIN
}

/// Words with signs between them, perhaps with a number: a name.
fn is_words(value: &[u8]) -> bool {
    let word = |part: &[u8]| part.len() <= 3 || part.iter().all(u8::is_ascii_alphabetic) && part.len() <= 14;
    value.split(|byte| b"_-./".contains(byte)).all(word)
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
