//! TOOL-3 and GW-2: clients of the SDK that can be asked: a server's questions reach them through the hub, and their
//! answers the server, whatever eras the two speak and however they come in.

#![allow(deprecated, reason = "sampling and roots are deprecated in the newest revision and part of all of them")]

use std::process::Stdio;

use rmcp::model::{
    CallToolRequestParams, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ErrorData, ListRootsResult, ProtocolVersion,
};
use rmcp::service::{RequestContext, RunningService};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::hub::OMNI;
use crate::harness::{HttpFixture, Hub, everything, in_time};

/// A client whose user is called Ada, whose model knows capitals, and which has two roots.
#[derive(Debug, Clone, Default)]
struct Asked;

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

impl ClientHandler for Asked {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.capabilities = typed(json!({ "elicitation": {}, "sampling": {}, "roots": {} }));
        info
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let asked = serde_json::to_value(request).unwrap();
        let fields = asked["requestedSchema"]["properties"].as_object().unwrap();
        let fill = |name: &String| match name.as_str() {
            "color" => json!("green"),
            "ok" => json!(true),
            _ => json!("Ada"),
        };
        let content: serde_json::Map<String, Value> = fields.keys().map(|name| (name.clone(), fill(name))).collect();
        Ok(typed(json!({ "action": "accept", "content": content })))
    }

    async fn create_message(
        &self,
        _request: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let content = json!({ "type": "text", "text": "Paris" });
        Ok(typed(json!({ "role": "assistant", "model": "m", "stopReason": "endTurn", "content": content })))
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(typed(json!({ "roots": [{ "uri": "file:///one" }, { "uri": "file:///two" }] })))
    }
}

/// Both eras of the client.
fn modes() -> [ClientLifecycleMode; 2] {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions }]
}

/// Calls each tool that asks, and looks for the answer in what it says.
async fn answers(client: RunningService<RoleClient, Asked>, servers: &[&str]) {
    for server in servers {
        for (tool, arguments, said) in [
            ("test_input_required_result_elicitation", json!({}), "Hello, Ada!"),
            ("test_input_required_result_sampling", json!({}), "Paris"),
            ("test_input_required_result_list_roots", json!({}), "2 roots: file:///one, file:///two"),
            ("test_input_required_result_multiple_inputs", json!({}), "Paris Ada, with 2 roots"),
            ("test_input_required_result_multi_round", json!({}), "Ada likes green"),
            ("test_sampling", json!({ "prompt": "capital of France?" }), "LLM response: Paris"),
            ("test_elicitation", json!({ "message": "who?" }), "\"username\":\"Ada\""),
        ] {
            let mut params = CallToolRequestParams::new(format!("{server}__{tool}"));
            params.arguments = arguments.as_object().cloned();
            let what = format!("{server} {tool}");
            let result = in_time(&what, client.call_tool(params)).await.unwrap_or_else(|e| panic!("{what}: {e}"));
            let text = &result.content[0].as_text().unwrap().text;
            assert!(text.contains(said), "{what}: {text}");
        }
    }
    client.cancel().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_rmcp_is_asked_over_http_in_each_pair_of_eras() {
    let (old, new) = (HttpFixture::start(&["--era", "legacy"]), HttpFixture::start(&["--era", "modern"]));
    let hub = Hub::with(json!({ "old": old.entry(), "new": new.entry(), "both": everything(&[]) }));
    for mode in modes() {
        let transport = StreamableHttpClientTransport::from_uri(format!("http://{}/mcp", hub.address));
        let client = in_time("the handshake", Asked.serve_with_lifecycle(transport, mode)).await.unwrap();
        answers(client, &["old", "new", "both"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_2_rmcp_is_asked_over_stdio_in_each_pair_of_eras() {
    let (old, new) = (HttpFixture::start(&["--era", "legacy"]), HttpFixture::start(&["--era", "modern"]));
    let hub = Hub::with(json!({ "old": old.entry(), "new": new.entry() }));
    for mode in modes() {
        let mut command = Command::new(OMNI);
        command.arg("--config").arg(hub.config_file()).arg("stdio");
        command.arg("--data-dir").arg(hub.home.path().join("stdio-data")).env("HOME", hub.home.path());
        let (process, _) = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().unwrap();
        let client = in_time("the handshake", Asked.serve_with_lifecycle(process, mode)).await.unwrap();
        answers(client, &["old", "new"]).await;
    }
}
