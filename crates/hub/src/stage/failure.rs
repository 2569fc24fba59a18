//! Whether a server says that what was asked of it failed.

use omni_protocol::Message;

/// Whether a server says that what was asked of it failed: by an error, or by a tool's result that is one.
pub(super) fn says_failure(answer: &Message) -> bool {
    answer.result().is_none() || answer.result_is_error()
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
