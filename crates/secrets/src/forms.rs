//! The forms in which a value is written: as it is, and as JSON, URLs, Base64 and hexadecimal write it.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Shorter lines of a value of several lines stand in other texts by chance.
const LINE_BYTES_MIN: usize = 16;

/// One form of a value, wiped when it is done with.
pub(crate) type Form = Zeroizing<Vec<u8>>;

/// The forms in which a value is written, each once.
pub(crate) fn written(value: &str) -> Vec<Form> {
    let bytes = value.as_bytes();
    let mut forms: Vec<Form> = vec![Zeroizing::new(bytes.to_vec())];
    let json = Zeroizing::new(serde_json::to_string(value).unwrap_or_default());
    let inner = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    forms.push(Zeroizing::new(inner.as_bytes().to_vec()));
    // Go and others escape these in JSON, too.
    forms.push(html_escaped(inner));
    for upper in [true, false] {
        forms.push(percent(bytes, upper, b"%20"));
        forms.push(percent(bytes, upper, b"+"));
        forms.push(hexadecimal(bytes, upper));
    }
    for before in 0..3 {
        forms.push(inner_base64(&STANDARD_NO_PAD, bytes, before));
        forms.push(inner_base64(&URL_SAFE_NO_PAD, bytes, before));
    }
    // A text of several lines is often shown a line at a time.
    let lines = value.lines().filter(|line| line.len() >= LINE_BYTES_MIN && line.len() < value.len());
    forms.extend(lines.map(|line| Zeroizing::new(line.as_bytes().to_vec())));
    forms.sort_unstable_by(|a, b| a.as_slice().cmp(b));
    forms.dedup_by(|a, b| a.as_slice() == b.as_slice());
    forms
}

fn html_escaped(json: &str) -> Form {
    let mut out = Zeroizing::new(Vec::with_capacity(json.len() * 6));
    for byte in json.bytes() {
        match byte {
            b'<' => out.extend_from_slice(b"\\u003c"),
            b'>' => out.extend_from_slice(b"\\u003e"),
            b'&' => out.extend_from_slice(b"\\u0026"),
            byte => out.push(byte),
        }
    }
    out
}

fn digit(value: u8, upper: bool) -> u8 {
    let digit = b"0123456789abcdef"[usize::from(value & 0x0f)];
    if upper { digit.to_ascii_uppercase() } else { digit }
}

fn percent(bytes: &[u8], upper: bool, space: &[u8]) -> Form {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len() * 3));
    for byte in bytes {
        match byte {
            b' ' => out.extend_from_slice(space),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => out.push(*byte),
            byte => out.extend_from_slice(&[b'%', digit(byte >> 4, upper), digit(*byte, upper)]),
        }
    }
    out
}

fn hexadecimal(bytes: &[u8], upper: bool) -> Form {
    Zeroizing::new(bytes.iter().flat_map(|byte| [digit(byte >> 4, upper), digit(*byte, upper)]).collect())
}

/// The part of a Base64 text that is the same whatever stands around the value, when `before` bytes (modulo 3) stand before it.
fn inner_base64(engine: &GeneralPurpose, bytes: &[u8], before: usize) -> Form {
    let mut whole = Zeroizing::new(Vec::with_capacity(before + bytes.len()));
    whole.resize(before, 0);
    whole.extend_from_slice(bytes);
    let encoded = Zeroizing::new(engine.encode(whole.as_slice()));
    // Each character is 6 bits: those that also hold bits of a neighbour are left out.
    let start = (before * 8).div_ceil(6);
    let end = (before + bytes.len()) * 8 / 6;
    Zeroizing::new(encoded.as_bytes().get(start..end).unwrap_or_default().to_vec())
}
