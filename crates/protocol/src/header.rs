//! HTTP headers of the Streamable HTTP transport, and how values that are no plain ASCII travel in them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Header names, lower case as HTTP/2 wants them.
pub mod names {
    /// Session of revisions 2025-03-26 to 2025-11-25.
    pub const SESSION_ID: &str = "mcp-session-id";
    /// Revision, from 2025-06-18 on.
    pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
    /// Method of the body (2026-07-28).
    pub const METHOD: &str = "mcp-method";
    /// `name`, `uri` or `taskId` of the body (2026-07-28).
    pub const NAME: &str = "mcp-name";
    /// Prefix of headers that mirror arguments (2026-07-28, `x-mcp-header`).
    pub const PARAM_PREFIX: &str = "mcp-param-";
    /// Place in a broken event stream (2025-03-26 to 2025-11-25).
    pub const LAST_EVENT_ID: &str = "last-event-id";
}

const OPEN: &str = "=?base64?";
const CLOSE: &str = "?=";

/// `value` as a header value: itself when it is plain ASCII, else in the Base64 sentinel form (Streamable HTTP of
/// 2026-07-28, "Value Encoding").
#[must_use]
pub fn encode_value(value: &str) -> Cow<'_, str> {
    let plain = !value.is_empty()
        && value.bytes().all(|b| (0x20..0x7f).contains(&b))
        && !value.starts_with(' ')
        && !value.ends_with(' ')
        && !value.starts_with(OPEN);
    if plain { Cow::Borrowed(value) } else { Cow::Owned(format!("{OPEN}{}{CLOSE}", STANDARD.encode(value))) }
}

/// The value that a header carries; `None` where the sentinel form holds no Base64 of UTF-8.
#[must_use]
pub fn decode_value(header: &str) -> Option<Cow<'_, str>> {
    let trimmed = header.trim_matches([' ', '\t']);
    match trimmed.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)) {
        None => Some(Cow::Borrowed(trimmed)),
        Some(inner) => String::from_utf8(STANDARD.decode(inner).ok()?).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::{decode_value, encode_value};

    #[test]
    fn values_come_back() {
        for value in ["get_weather", "überwachung", "a\r\nb", " lead", "=?base64?x", "", "日本"] {
            let header = encode_value(value);
            assert!(header.bytes().all(|b| (0x20..0x7f).contains(&b)), "{header}");
            assert_eq!(decode_value(&header).as_deref(), Some(value));
        }
        assert_eq!(encode_value("plain"), "plain");
        assert_eq!(decode_value("=?base64?!!?="), None);
    }
}
