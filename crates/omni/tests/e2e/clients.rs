//! GW-1 and GW-2: the client of the Rust SDK in front of the hub, over HTTP and stdio.

use std::path::Path;
use std::process::Stdio;

use rmcp::model::{CallToolRequestParams, GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams};
use rmcp::service::{RunningService, ServiceError};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::hub::OMNI;
use crate::harness::{Hub, everything, in_time, processes, until};

const SIMPLE: &str = "This is a simple text response for testing.";

fn hub() -> Hub {
    Hub::with(json!({ "s": everything(&[]), "paged": everything(&["--page-size", "4"]) }))
}

fn modes() -> [(ClientLifecycleMode, ProtocolVersion); 3] {
    let modern = || vec![ProtocolVersion::V_2026_07_28];
    let legacy_version = Some(ProtocolVersion::V_2025_11_25);
    [
        (ClientLifecycleMode::Initialize, ProtocolVersion::V_2025_11_25),
        (ClientLifecycleMode::Discover { preferred_versions: modern() }, ProtocolVersion::V_2026_07_28),
        (ClientLifecycleMode::Auto { preferred_versions: modern(), legacy_version }, ProtocolVersion::V_2026_07_28),
    ]
}

async fn use_rmcp(client: RunningService<RoleClient, ()>) {
    let tools = client.list_all_tools().await.unwrap();
    assert!(tools.iter().any(|tool| tool.name == "s__test_simple_text"), "{} tools", tools.len());
    assert!(tools.iter().any(|tool| tool.name == "paged__test_custom_header"), "{} tools", tools.len());
    let result = client.call_tool(CallToolRequestParams::new("s__test_simple_text")).await.unwrap();
    assert_eq!(result.content[0].as_text().unwrap().text, SIMPLE);
    let unknown = client.call_tool(CallToolRequestParams::new("s__no_such_tool")).await.unwrap_err();
    assert!(matches!(&unknown, ServiceError::McpError(error) if error.code.0 == -32602), "{unknown}");
    assert!(!client.list_all_prompts().await.unwrap().is_empty());
    let prompt = client.get_prompt(GetPromptRequestParams::new("s__test_simple_prompt")).await.unwrap();
    assert_eq!(prompt.messages.len(), 1);
    let resources = client.list_all_resources().await.unwrap();
    let uri = &resources.iter().find(|resource| resource.uri.ends_with("static-text")).unwrap().uri;
    let read = client.read_resource(ReadResourceRequestParams::new(uri.clone())).await.unwrap();
    assert_eq!(read.contents.len(), 1);
    client.cancel().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_rmcp_over_http() {
    let hub = hub();
    for (mode, version) in modes() {
        let transport = StreamableHttpClientTransport::from_uri(format!("http://{}/mcp", hub.address));
        let client = in_time("the handshake", ().serve_with_lifecycle(transport, mode)).await.unwrap();
        assert_eq!(client.peer_info().unwrap().protocol_version, version);
        in_time("rmcp", use_rmcp(client)).await;
    }
    until("the sessions are ended", 10, async || {
        let sessions = hub.ready().await["sessions"].clone();
        if sessions == 0 { Ok(()) } else { Err(sessions.to_string()) }
    })
    .await;
}

/// `omni stdio` with the configuration of `hub`, and a data directory of its own.
pub(crate) fn stdio_words(hub: &Hub) -> Vec<String> {
    let data = hub.home.path().join("stdio-data").display().to_string();
    let config = hub.config_file().display().to_string();
    [OMNI, "--config", &config, "stdio", "--data-dir", &data].map(str::to_owned).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_2_rmcp_over_stdio() {
    let hub = hub();
    // All of the hub's own have to be there before others are counted: two servers, each with its guard.
    let before = until("the hub's servers run", 15, async || match hub.processes().len() {
        4 => Ok(4),
        other => Err(format!("{other} processes")),
    })
    .await;
    for (mode, version) in modes() {
        let words = stdio_words(&hub);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("HOME", hub.home.path());
        let (process, _) = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(process.id().unwrap()).unwrap();
        let client = in_time("the handshake", ().serve_with_lifecycle(process, mode)).await.unwrap();
        assert_eq!(client.peer_info().unwrap().protocol_version, version);
        in_time("rmcp", use_rmcp(client)).await;
        until("omni stdio ends with its client, and its servers with it", 15, async || {
            let left = hub.processes().len();
            if !processes::runs(pid) && left <= before { Ok(()) } else { Err(format!("{left} of {before} processes")) }
        })
        .await;
    }
}

/// Runs a driver (see `tests/peers/README.md`) and checks what it saw.
pub(crate) async fn drive(program: &Path, script: &Path, arguments: &[String], hub: &Hub, expected: Option<&str>) {
    let mut command = Command::new(program);
    command.arg(script).args(arguments).env("HOME", hub.home.path()).kill_on_drop(true);
    // What a hub with TLS shows is vouched for by the test's own authority.
    let authority = hub.home.path().join("ca.pem");
    if authority.exists() {
        command.env("NODE_EXTRA_CA_CERTS", &authority).env("SSL_CERT_FILE", &authority);
    }
    let what = format!("{} {}", script.display(), arguments.join(" "));
    let output = in_time(&what, command.stderr(Stdio::null()).output()).await.unwrap();
    let line = String::from_utf8_lossy(&output.stdout);
    let seen: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{what}: said {line:?}"));
    assert!(output.status.success() && seen.get("error").is_none(), "{what}: {seen}");
    if let Some(version) = expected {
        assert_eq!(seen["protocolVersion"], version, "{what}");
    }
    let has = |member: &str, name: &str| seen[member].as_array().unwrap().iter().any(|one| one == name);
    assert!(has("tools", "s__test_simple_text") && has("tools", "paged__test_custom_header"), "{what}: {seen}");
    assert!(has("prompts", "s__test_simple_prompt") && has("prompts", "paged__test_simple_prompt"), "{what}: {seen}");
    assert!(has("resources", "test://static-text"), "{what}: {seen}");
    assert_eq!(seen["resources"].as_array().unwrap().len(), 6, "{what}: {seen}");
    assert_eq!(seen["call"]["content"][0]["text"], SIMPLE, "{what}: {seen}");
}
