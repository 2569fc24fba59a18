//! The upstream's two tools: `echo {text}` gives the text back, `blob {tag}` a text of a set size that begins with the tag.

use crate::upstream::message::{Answered, Message, Params, Refusal, answer_with};

/// Of the tools that only fill the list: with it each takes about 490 bytes.
const SCHEMA: &str = concat!(
    r#"{"type":"object","properties":{"path":{"type":"string","description":"a path below the root"},"#,
    r#""limit":{"type":"integer","minimum":1,"description":"how many at most"},"deep":{"type":"boolean"}},"required":["path"]}"#
);
/// The two that can be called.
const LIST: &str = concat!(
    r#"{"name":"echo","description":"Gives the text back","inputSchema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}},"#,
    r#"{"name":"blob","description":"Gives a text of a set size back","inputSchema":{"type":"object","properties":{"tag":{"type":"string"}}}}"#
);

/// What a call answers, made once: the filler of `blob`.
pub(crate) struct Tools {
    filler: Vec<u8>,
    /// `tools` of `tools/list`, the same in each era.
    pub(crate) list: String,
}

impl Tools {
    /// `payload`: how long the text of `blob` is, in bytes.
    pub(crate) fn new(payload: usize, count: usize) -> Self {
        let mut list = LIST.to_owned();
        for number in 2..count {
            let (schema, about) = (SCHEMA, "what it does, in as many words as a real server takes ".repeat(3));
            list.push_str(&format!(
                r#",{{"name":"tool_{number:05}","description":"Tool {number}: {about}","inputSchema":{schema}}}"#
            ));
        }
        Self { filler: (0..payload).map(|at| b"abcdefghijklmnopqrstuvwxyz012345"[at % 32]).collect(), list }
    }

    /// Answers `tools/call`, with `resultType` where the era has it.
    pub(crate) fn answer(&self, message: &Message<'_>, modern: bool) -> Result<Answered, Refusal> {
        let params = message.params.as_ref().ok_or(Refusal::new(200, -32602, "tools/call needs params"))?;
        answer_with(message, |out| self.call(params, modern, out))
    }

    fn call(&self, params: &Params<'_>, modern: bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
        out.extend_from_slice(br#"{"content":[{"type":"text","text":"#);
        match params.name.as_ref() {
            "echo" => match params.arguments.text {
                Some(text) if text.get().starts_with('"') => out.extend_from_slice(text.get().as_bytes()),
                _ => return Err(Refusal::new(200, -32602, "echo needs a string `text`")),
            },
            "blob" => self.blob(&params.arguments.tag, out)?,
            _ => return Err(Refusal::new(200, -32602, "no such tool")),
        }
        out.extend_from_slice(b"}],\"isError\":false");
        if modern {
            out.extend_from_slice(br#","resultType":"complete""#);
        }
        out.push(b'}');
        Ok(())
    }

    fn blob(&self, tag: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let plain = tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if tag.len() > self.filler.len() || !plain {
            return Err(Refusal::new(
                200,
                -32602,
                "blob needs a `tag` of letters, digits and -, no longer than the payload",
            ));
        }
        out.push(b'"');
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(&self.filler[tag.len()..]);
        out.push(b'"');
        Ok(())
    }
}
