//! Whether a server says that what was asked of it failed.

use memchr::memmem;
use omni_protocol::{Message, member};

/// How a tool's result says that it is an error.
const IS_ERROR: &str = r#""isError""#;

/// Whether a server says that what was asked of it failed: by an error, or by a tool's result that is one.
pub(super) fn says_failure(answer: &Message) -> bool {
    let Some(result) = answer.result() else { return true };
    // Nearly no result says so, and none is parsed for it that does not.
    let says = |at: usize| {
        let rest = result[at + IS_ERROR.len()..].trim_start();
        rest.strip_prefix(':').is_some_and(|value| value.trim_start().starts_with("true"))
    };
    memmem::find_iter(result.as_bytes(), IS_ERROR).any(says)
        && member(result, "isError").is_some_and(|value| value.get() == "true")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use omni_protocol::Message;

    use super::says_failure;

    #[test]
    fn tool_6_a_tools_error_is_one_and_a_text_about_one_is_none() {
        let said = |rest: &'static str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,{rest}}}"#);
            Message::parse(Bytes::from(text)).is_ok_and(|message| says_failure(&message))
        };
        assert!(said(r#""error":{"code":1,"message":"x"}"#));
        assert!(said(r#""result":{"content":[],"isError" : true}"#));
        for fine in [
            r#""result":{"content":[],"isError":false}"#,
            r#""result":{"content":[{"type":"text","text":"\"isError\":true"}]}"#,
            r#""result":{"structuredContent":{"isError":true}}"#,
            r#""result":{}"#,
        ] {
            assert!(!said(fine), "{fine}");
        }
    }
}
