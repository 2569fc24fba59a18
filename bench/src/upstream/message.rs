//! One JSON-RPC message as the upstream reads it, borrowed from the request's body, and the answers it writes.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::Write;

/// A request, notification or response; absent members are empty.
#[derive(Deserialize)]
pub(crate) struct Message<'a> {
    #[serde(borrow, default)]
    pub(crate) jsonrpc: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) method: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) params: Option<Params<'a>>,
    #[serde(borrow, default)]
    pub(crate) result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) error: Option<&'a RawValue>,
}

/// The parameters of the few methods served, in one struct: one pass over the bytes is what keeps the upstream cheap.
#[derive(Deserialize, Default)]
pub(crate) struct Params<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) arguments: Arguments<'a>,
    #[serde(rename = "protocolVersion", borrow, default)]
    pub(crate) protocol_version: Cow<'a, str>,
    #[serde(rename = "_meta", borrow, default)]
    pub(crate) meta: Option<Meta<'a>>,
}

/// Arguments of `echo` (`text`) and `blob` (`tag`), as the JSON they came in.
#[derive(Deserialize, Default)]
pub(crate) struct Arguments<'a> {
    #[serde(borrow, default)]
    pub(crate) text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) tag: Cow<'a, str>,
}

/// What 2026-07-28 says about itself in each request.
#[derive(Deserialize, Default)]
pub(crate) struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion", borrow, default)]
    pub(crate) protocol_version: Option<Cow<'a, str>>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities", borrow, default)]
    pub(crate) client_capabilities: Option<&'a RawValue>,
}

impl Message<'_> {
    /// The id as it came, if it is one a request may have.
    pub(crate) fn request_id(&self) -> Option<&str> {
        let raw = self.id?.get();
        raw.starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).then_some(raw)
    }
}

/// A fault: HTTP status, JSON-RPC code, text, and `data` as JSON ("" for none).
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) text: &'static str,
    pub(crate) data: String,
}

impl Refusal {
    /// A refusal without `data`.
    pub(crate) fn new(status: u16, code: i32, text: &'static str) -> Self {
        Self { status, code, text, data: String::new() }
    }

    /// The body of the answer.
    pub(crate) fn body(&self, id: Option<&str>) -> Vec<u8> {
        let Self { code, text, data, .. } = self;
        let id = id.unwrap_or("null");
        let data = if data.is_empty() { String::new() } else { format!(r#","data":{data}"#) };
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{text}"{data}}}}}"#).into_bytes()
    }
}

/// What became of a message.
pub(crate) enum Answered {
    /// A notification or response: nothing to say.
    Accepted,
    /// A JSON-RPC answer.
    Message(Vec<u8>),
    /// A JSON-RPC answer that opens the named session.
    Opened(String, Vec<u8>),
}

/// An answer to `message` with the result that `write` writes.
pub(crate) fn answer_with(
    message: &Message<'_>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refusal>,
) -> Result<Answered, Refusal> {
    let id = message.request_id().ok_or(Refusal::new(400, -32600, "a request's id is a string or a number"))?;
    let mut body = Vec::with_capacity(512);
    // Writing into a Vec cannot fail.
    let _ = write!(body, r#"{{"jsonrpc":"2.0","id":{id},"result":"#);
    write(&mut body)?;
    body.push(b'}');
    Ok(Answered::Message(body))
}

/// An answer to `message` with a result that is there.
pub(crate) fn answer_text(message: &Message<'_>, result: &str) -> Result<Answered, Refusal> {
    answer_with(message, |out| {
        out.extend_from_slice(result.as_bytes());
        Ok(())
    })
}
