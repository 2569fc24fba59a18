//! Whether a JSON text could hold anything that is looked for: most hold nothing, and are done with here.

use crate::detect::keys;
use crate::detect::kind::Kind;

/// Digits from which on a number could be a card's.
const DIGITS_MIN: usize = 13;
/// Bytes of which digits are counted at a time. So many digits with their separators take 25 at most and meet two such pieces,
/// so that one of the two has more than half of them.
const PIECE: usize = 32;

/// Whether `json` could hold what is wanted, where it has escapes or not: `false` is sure.
#[must_use]
pub(crate) fn might_hold(json: &[u8], escapes: bool, wanted: &dyn Fn(Kind) -> bool) -> bool {
    let for_keys = wanted(Kind::Key) || wanted(Kind::Unknown);
    // Of what is looked for, only the `://` of an address has a character with an escape of its own: `\/`.
    let hides = |next: u8| next == b'u' || next == b'/' && for_keys;
    let escaped = || memchr::memchr_iter(b'\\', json).any(|at| json.get(at + 1).copied().is_some_and(hides));
    escapes && escaped()
        || wanted(Kind::Iban)
        || wanted(Kind::Card) && digits(json)
        || wanted(Kind::Email) && memchr::memchr(b'@', json).is_some()
        || for_keys && keys::might_hold(json, wanted(Kind::Unknown))
}

/// Whether at least [`DIGITS_MIN`] digits follow each other, with single spaces or hyphens between.
fn digits(bytes: &[u8]) -> bool {
    let (pieces, rest) = bytes.as_chunks::<PIECE>();
    // What is looked at closely: pieces with many digits one behind the other, as one.
    let mut close = None;
    for (at, piece) in (0..).step_by(PIECE).zip(pieces) {
        if count(piece) > DIGITS_MIN / 2 {
            close.get_or_insert(at);
        } else if close.take().is_some_and(|from| digits_near(bytes, from, at)) {
            return true;
        }
    }
    let from = close.unwrap_or(bytes.len() - rest.len());
    digits_near(bytes, from, bytes.len())
}

/// Written without an early end and for a length that is known, so that the compiler looks at many bytes in one instruction.
fn count(piece: &[u8; PIECE]) -> usize {
    piece.iter().fold(0u8, |count, byte| count + u8::from(byte.is_ascii_digit())).into()
}

/// The same for a number that meets the bytes between `from` and `to`.
fn digits_near(bytes: &[u8], from: usize, to: usize) -> bool {
    let bytes = &bytes[from.saturating_sub(PIECE)..bytes.len().min(to + PIECE)];
    // Of two neighbours within such a number one at least is a digit, and steps are short enough to meet two in any.
    (0..bytes.len()).step_by(DIGITS_MIN - 1).any(|at| {
        let digit = [at, at + 1].into_iter().find(|at| bytes.get(*at).is_some_and(u8::is_ascii_digit));
        digit.is_some_and(|at| is_long(bytes, at))
    })
}

/// Whether so many digits stand around this one.
fn is_long(bytes: &[u8], at: usize) -> bool {
    let is_part = |at: &usize| bytes[*at].is_ascii_digit() || parts(bytes, *at);
    let is_digit = |at: &usize| bytes[*at].is_ascii_digit();
    let after = (at..bytes.len()).take_while(is_part).filter(is_digit).take(DIGITS_MIN).count();
    let before = (0..at).rev().take_while(is_part).filter(is_digit).take(DIGITS_MIN).count();
    before + after >= DIGITS_MIN
}

/// Whether a space or a hyphen stands alone between digits.
fn parts(bytes: &[u8], at: usize) -> bool {
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    matches!(bytes[at], b' ' | b'-') && digit(at.checked_sub(1)) && digit(Some(at + 1))
}

#[cfg(test)]
mod tests {
    use super::{DIGITS_MIN, digits, parts};
    use proptest::prelude::*;

    /// The same, looked for from each byte on.
    fn naive(bytes: &[u8]) -> bool {
        (0..bytes.len()).any(|from| {
            let run = (from..bytes.len()).take_while(|at| bytes[*at].is_ascii_digit() || parts(bytes, *at));
            bytes[from].is_ascii_digit() && run.filter(|at| bytes[*at].is_ascii_digit()).count() >= DIGITS_MIN
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn comp_4_digits_are_found_wherever_they_stand(
            before in "[ a1-]{0,70}|[ a-]{0,99}", number in "([0-9][ -]?){10,16}|[0-9]{12,14}",
            after in "[ a1-]{0,70}|[ a-]{0,99}",
        ) {
            let text = format!("{before}{number}{after}");
            prop_assert_eq!(digits(text.as_bytes()), naive(text.as_bytes()), "{:?}", text);
        }
    }
}
