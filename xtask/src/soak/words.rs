//! The messages that clients of a soak send, in their era.

use crate::soak::chance::Chance;
use crate::soak::servers::SERVERS;
use serde_json::{Value, json};

/// Which client it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// HTTP+SSE of 2024-11-05.
    HttpSse,
    /// 2025-11-25, in a session.
    Session,
    /// 2026-07-28, without one.
    Modern,
}

const TOOLS: &[&str] = &["test_simple_text", "test_tool_with_progress", "test_image_content", "test_error_handling"];
/// Tools whose servers ask the client something in the middle.
const ASKING: &[&str] = &["test_elicitation", "test_input_required_result_multi_round"];
/// Tools after which everybody is told that a list changed.
const CHANGING: &[&str] = &["test_trigger_tool_change", "test_trigger_prompt_change", "test_trigger_resource_change"];

/// Who speaks, to which server, and what comes next.
pub(super) struct Words<'a> {
    /// The one server, or all of them.
    pub(super) server: Option<&'a str>,
    pub(super) era: Era,
    pub(super) id: &'a mut u64,
    pub(super) chance: &'a mut Chance,
}

impl Words<'_> {
    pub(super) fn path(&self, of_all: &str) -> String {
        self.server.map_or_else(|| of_all.to_owned(), |server| format!("{of_all}/{server}"))
    }

    pub(super) fn message(&mut self, method: &str, mut params: Value) -> Value {
        *self.id += 1;
        if self.era == Era::Modern {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
            meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "soak", "version": "1"});
        }
        json!({"jsonrpc": "2.0", "id": *self.id, "method": method, "params": params})
    }

    pub(super) fn initialize(&mut self) -> Value {
        let version = if self.era == Era::HttpSse { "2024-11-05" } else { "2025-11-25" };
        let abilities = if self.era == Era::HttpSse { json!({}) } else { json!({"elicitation": {}}) };
        let info = json!({"name": "soak", "version": "1"});
        self.message("initialize", json!({"protocolVersion": version, "capabilities": abilities, "clientInfo": info}))
    }

    fn call_of(&mut self, tool: &str, arguments: Value, meta: Value) -> Value {
        let name = match self.server {
            None => format!("{}__{tool}", self.chance.of(SERVERS)),
            Some(_) => tool.to_owned(),
        };
        self.message("tools/call", json!({"name": name, "arguments": arguments, "_meta": meta}))
    }

    /// A call of some tool of some server of this endpoint, whose client need answer nothing while it runs.
    pub(super) fn call(&mut self) -> Value {
        let meta = if self.chance.one_in(2) { json!({"progressToken": *self.id}) } else { json!({}) };
        // A session is asked in its stream, and one who does not answer waits long: only those of 2026-07-28 ask for it.
        if self.era == Era::Modern && self.chance.one_in(6) {
            return self.asking();
        }
        let tool = if self.chance.one_in(40) { self.chance.of(CHANGING) } else { self.chance.of(TOOLS) };
        self.call_of(tool, json!({}), meta)
    }

    /// A call whose server asks its client something.
    pub(super) fn asking(&mut self) -> Value {
        let tool = self.chance.of(ASKING);
        self.call_of(tool, json!({"message": "who?"}), json!({}))
    }

    /// A call that is answered by a stream.
    pub(super) fn call_with_progress(&mut self) -> Value {
        let token = json!({"progressToken": *self.id});
        self.call_of("test_tool_with_progress", json!({}), token)
    }

    /// A call after which there is something to tell to everybody.
    pub(super) fn change(&mut self) -> Value {
        let tool = self.chance.of(CHANGING);
        self.call_of(tool, json!({}), json!({}))
    }

    /// `call` made again with answers to what `asked` asks for.
    pub(super) fn answered(&mut self, call: &Value, asked: &str) -> Option<Value> {
        let asked: Value = serde_json::from_str(asked).ok()?;
        let result = &asked["result"];
        let answer = json!({"action": "accept", "content": {"name": "Ada", "email": "a@b.example", "color": "blue"}});
        let requests = result["inputRequests"].as_object()?;
        let given: serde_json::Map<_, _> = requests.iter().map(|(key, _)| (key.clone(), answer.clone())).collect();
        let mut params = call["params"].clone();
        params["inputResponses"] = given.into();
        if result.get("requestState").is_some() {
            params["requestState"] = result["requestState"].clone();
        }
        Some(self.message("tools/call", params))
    }

    /// The answer to a request of a server's that came on a channel.
    pub(super) fn response(request: &Value) -> Value {
        let given = json!({"action": "accept", "content": {"name": "Ada", "email": "a@b.example", "color": "blue"}});
        json!({"jsonrpc": "2.0", "id": request["id"], "result": given})
    }
}
