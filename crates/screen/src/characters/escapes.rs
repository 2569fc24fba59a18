//! Terminal escapes (ECMA-48): where one ends.

/// Bytes of one escape; a string of a terminal's that does not end by then is none.
const BYTES_MAX: usize = 4_096;

/// The length of the escape with which `text` begins: with ESC, or with a C1 control that means the same.
pub(super) fn length(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    let (kind, intro) = match (first, text[first.len_utf8()..].chars().next()) {
        ('\u{1b}', Some(second)) => (second, 1 + second.len_utf8()),
        ('\u{9b}', _) => ('[', 2),
        ('\u{9d}', _) => (']', 2),
        ('\u{90}', _) => ('P', 2),
        ('\u{98}', _) => ('X', 2),
        ('\u{9e}', _) => ('^', 2),
        ('\u{9f}', _) => ('_', 2),
        _ => return first.len_utf8(),
    };
    let rest = &text.as_bytes()[intro..];
    match kind {
        '[' => intro + control_sequence(rest).unwrap_or(0),
        ']' | 'P' | 'X' | '^' | '_' => intro + string(rest).unwrap_or(0),
        // ESC, intermediate bytes, a final one.
        ' '..='/' => match rest.iter().take(8).position(|byte| !(0x20..=0x2f).contains(byte)) {
            Some(at) if (0x30..=0x7e).contains(&rest[at]) => intro + at + 1,
            _ => first.len_utf8(),
        },
        '0'..='~' => intro,
        _ => first.len_utf8(),
    }
}

/// Parameters, intermediate bytes, a final one.
fn control_sequence(rest: &[u8]) -> Option<usize> {
    let end = rest.iter().take(BYTES_MAX).position(|byte| !(0x20..=0x3f).contains(byte))?;
    (0x40..=0x7e).contains(&rest[end]).then_some(end + 1)
}

/// Anything up to BEL or ST.
fn string(rest: &[u8]) -> Option<usize> {
    let near = &rest[..rest.len().min(BYTES_MAX)];
    let at = near.iter().position(|byte| matches!(byte, 0x07 | 0x1b | 0x9c))?;
    match near[at] {
        0x07 => Some(at + 1),
        0x1b if near.get(at + 1) == Some(&b'\\') => Some(at + 2),
        // ST as one character: U+009C, two bytes.
        0x9c if at > 0 && near[at - 1] == 0xc2 => Some(at + 1),
        _ => None,
    }
}
