//! The stateless era (2026-07-28) as the upstream speaks it: every request says its revision, in `_meta` and in headers that must agree.

use crate::upstream::message::{Answered, Message, Refusal, answer_text};
use crate::upstream::tools::Tools;

/// The one stateless revision there is.
pub(crate) const REVISION: &str = "2026-07-28";

/// The headers that repeat what the body says.
pub(crate) struct Headers<'a> {
    pub(crate) version: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
}

/// Answers one POSTed message of the stateless era.
pub(crate) fn answer(tools: &Tools, message: &Message<'_>, headers: &Headers<'_>) -> Result<Answered, Refusal> {
    if message.id.is_none() {
        return Ok(Answered::Accepted);
    }
    check(message, headers)?;
    match message.method.as_ref() {
        "tools/call" => tools.answer(message, true),
        "tools/list" => {
            let tools = &tools.list;
            let list = r#""resultType":"complete","ttlMs":3600000,"cacheScope":"public""#;
            answer_text(message, &format!(r#"{{"tools":[{tools}],{list}}}"#))
        }
        "server/discover" => {
            let discovered = format!(
                concat!(
                    r#"{{"resultType":"complete","supportedVersions":["{}"],"capabilities":{{"tools":{{}}}},"ttlMs":3600000,"#,
                    r#""cacheScope":"public","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"omni-bench","version":"{}"}}}}}}"#
                ),
                REVISION,
                env!("CARGO_PKG_VERSION")
            );
            answer_text(message, &discovered)
        }
        _ => Err(Refusal::new(404, -32601, "Method not found")),
    }
}

/// The order of these checks is the one the conformance suite expects of a server.
fn check(message: &Message<'_>, headers: &Headers<'_>) -> Result<(), Refusal> {
    let meta = message.params.as_ref().and_then(|params| params.meta.as_ref());
    let Some((meta, version)) = meta.and_then(|meta| meta.protocol_version.as_deref().map(|version| (meta, version)))
    else {
        return Err(Refusal::new(400, -32602, "params._meta must have io.modelcontextprotocol/protocolVersion"));
    };
    if meta.client_capabilities.is_none() {
        return Err(Refusal::new(400, -32602, "params._meta must have io.modelcontextprotocol/clientCapabilities"));
    }
    if headers.version != Some(version) {
        return Err(Refusal::new(400, -32020, "MCP-Protocol-Version does not say what params._meta says"));
    }
    if version != REVISION {
        return Err(unsupported(version));
    }
    if headers.method != Some(message.method.as_ref()) {
        return Err(Refusal::new(400, -32020, "Mcp-Method does not say what the body says"));
    }
    let name = message.params.as_ref().map_or("", |params| params.name.as_ref());
    if message.method == "tools/call" && headers.name != Some(name) {
        return Err(Refusal::new(400, -32020, "Mcp-Name does not say what the body says"));
    }
    Ok(())
}

/// The refusal of a revision that is not spoken here.
pub(crate) fn unsupported(asked: &str) -> Refusal {
    let asked = serde_json::Value::from(asked);
    let data = format!(r#"{{"supported":["{REVISION}"],"requested":{asked}}}"#);
    Refusal { data, ..Refusal::new(400, -32022, "Unsupported protocol version") }
}
