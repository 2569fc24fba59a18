//! Card numbers: the issuer's digits, the length that goes with them, the grouping, and the check digit (ISO/IEC 7812).

use std::ops::Range;

use crate::detect::kind::{Finding, Kind};

/// Digits of a card number.
const DIGITS: Range<usize> = 13..20;
/// How the digits of a card are grouped in print.
const GROUPINGS: &[&[usize]] = &[&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3], &[4, 4, 5], &[6, 10]];
/// Names of members that hold card numbers.
const NAMES: &[&str] = &["card", "pan", "ccnum", "cc_num", "creditcard", "credit_card", "cardnumber", "card_number"];

/// Adds the card numbers in `text`.
pub(super) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = (at..bytes.len()).find(|at| bytes[*at].is_ascii_digit()) {
        let groups = groups(bytes, start);
        let end = groups.last().map_or(start + 1, |group| group.end);
        if let Some(range) = card(bytes, &groups) {
            found.push(Finding { range, kind: Kind::Card, label: "card number" });
        }
        at = end.max(start + 1);
    }
}

/// Groups of digits that follow each other with one and the same space or hyphen between them.
fn groups(bytes: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut found = Vec::with_capacity(5);
    let (mut at, mut separator) = (start, None);
    loop {
        let end = (at..bytes.len()).find(|at| !bytes[*at].is_ascii_digit()).unwrap_or(bytes.len());
        found.push(at..end);
        match (bytes.get(end), bytes.get(end + 1)) {
            (Some(between @ (b' ' | b'-')), Some(next))
                if next.is_ascii_digit() && separator.is_none_or(|known| known == *between) =>
            {
                separator = Some(*between);
                at = end + 1;
            }
            _ => return found,
        }
    }
}

/// Whether what begins at `start` is no part of a longer name, number or identifier before it.
fn begins_alone(bytes: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).map(|at| bytes[at]);
    !before.is_some_and(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'+' | b'%' | b'#' | b'.' | b'-')
    })
}

/// The same for what ends at `end`, and what follows it.
fn ends_alone(bytes: &[u8], end: usize) -> bool {
    match bytes.get(end) {
        // The end of a sentence, and not a decimal point, a name's or a range's.
        Some(b'.' | b'-') => !bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric),
        Some(byte) => !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'=' | b'%' | b'#')),
        None => true,
    }
}

fn card(bytes: &[u8], groups: &[Range<usize>]) -> Option<Range<usize>> {
    let (start, end) = (groups.first()?.start, groups.last()?.end);
    let (left, right) = (begins_alone(bytes, start), ends_alone(bytes, end));
    if let [only] = groups {
        return (left && right && fits(&bytes[only.clone()])).then(|| only.clone());
    }
    // A number that stands beside another, with a space between them, stands alone.
    let spaced = bytes[groups[0].end] == b' ';
    for first in 0..groups.len() {
        for grouping in GROUPINGS {
            let behind = first + grouping.len();
            let Some(own) = groups.get(first..behind) else { continue };
            let edges =
                (if first == 0 { left } else { spaced }) && (if behind == groups.len() { right } else { spaced });
            if edges && own.iter().map(ExactSizeIterator::len).eq(grouping.iter().copied()) {
                let range = own[0].start..own[own.len() - 1].end;
                let digits: Vec<u8> = bytes[range.clone()].iter().copied().filter(u8::is_ascii_digit).collect();
                // A longer list of equal groups is another number, of which a part adds up by chance.
                if fits(&digits) && groups.len() - grouping.len() < 3 {
                    return Some(range);
                }
            }
        }
    }
    None
}

/// Whether issuer, length and check digit agree.
fn fits(digits: &[u8]) -> bool {
    DIGITS.contains(&digits.len()) && issued(digits) && luhn(digits) && digits.iter().any(|digit| *digit != digits[0])
}

fn issued(digits: &[u8]) -> bool {
    let prefix = |count: usize| digits[..count].iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let (two, three, four, length) = (prefix(2), prefix(3), prefix(4), digits.len());
    match two {
        40..=49 => matches!(length, 13 | 16 | 19),
        51..=55 => length == 16,
        22..=27 if (2221..=2720).contains(&four) => length == 16,
        34 | 37 => length == 15,
        36 | 38 | 39 => matches!(length, 14 | 16..=19),
        30 if matches!(three, 300..=305 | 309) => matches!(length, 14 | 16..=19),
        35 if (3528..=3589).contains(&four) => matches!(length, 16..=19),
        60 if four == 6011 => matches!(length, 16..=19),
        64 if matches!(three, 644..=649) => matches!(length, 16..=19),
        62 | 65 => matches!(length, 16..=19),
        50 | 56..=58 | 60 | 61 | 63 | 66..=69 => matches!(length, 16 | 18 | 19),
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(digit - b'0') * if at % 2 == 1 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a JSON number in the member `member` is a card's.
pub(super) fn is_number_of(number: &str, member: &str) -> bool {
    let member = member.to_ascii_lowercase();
    NAMES.iter().any(|name| member.contains(name))
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && fits(number.as_bytes())
}
