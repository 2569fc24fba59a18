//! Whether a JSON text could hold anything that is looked for: most hold nothing, and are done with here.

use crate::detect::keys;
use crate::detect::kind::Kind;

/// Digits from which on a number could be a card's.
const DIGITS_MIN: usize = 13;
/// Of that many neighbours at most one is no digit: groups of digits have three and more.
const STRIDE: usize = 3;

/// Whether `json` could hold what is wanted: `false` is sure.
#[must_use]
pub(crate) fn might_hold(json: &[u8], wanted: &dyn Fn(Kind) -> bool) -> bool {
    let escaped = memchr::memmem::find(json, b"\\u").is_some();
    escaped
        || wanted(Kind::Iban)
        || wanted(Kind::Card) && digits(json)
        || wanted(Kind::Email) && memchr::memchr(b'@', json).is_some()
        || (wanted(Kind::Key) || wanted(Kind::Unknown)) && keys::might_hold(json, wanted(Kind::Unknown))
}

/// Whether at least [`DIGITS_MIN`] digits follow each other, with single spaces or hyphens between.
fn digits(bytes: &[u8]) -> bool {
    let mut at = STRIDE - 1;
    while at < bytes.len() {
        if bytes[at].is_ascii_digit() {
            let mut count = 1;
            let mut start = at;
            while start > 0 && (bytes[start - 1].is_ascii_digit() || parts(bytes, start - 1)) {
                start -= 1;
                count += usize::from(bytes[start].is_ascii_digit());
            }
            let mut end = at + 1;
            while end < bytes.len() && (bytes[end].is_ascii_digit() || parts(bytes, end)) {
                count += usize::from(bytes[end].is_ascii_digit());
                end += 1;
            }
            if count >= DIGITS_MIN {
                return true;
            }
            at = end;
        }
        at += STRIDE;
    }
    false
}

/// Whether a space or a hyphen stands alone between digits.
fn parts(bytes: &[u8], at: usize) -> bool {
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    matches!(bytes[at], b' ' | b'-') && digit(at.checked_sub(1)) && digit(Some(at + 1))
}
