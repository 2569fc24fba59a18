//! Sealed bytes as the text of a cursor.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `sealed` as a cursor.
#[must_use]
pub fn encode_cursor(sealed: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(sealed)
}

/// The sealed bytes of a cursor.
#[must_use]
pub fn decode_cursor(cursor: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(cursor).ok()
}
