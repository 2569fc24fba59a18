//! TOOL-6, AUTH-6, CFG-7: what happens on each road is on record; nothing happens without one where that is wanted.

use std::io::Write as _;
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use crate::harness::recorded::{log_of, record, records};
use crate::harness::talker::{Talker, Transport};
use crate::harness::{Client, Era, Hub, everything, http, hub, until};

const TOOL: &str = "s__test_simple_text";

fn servers() -> Value {
    json!({ "s": everything(&[]) })
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_6_each_road_over_the_network_is_on_record() {
    let hub = Hub::with(servers());
    hub.awake().await;
    let params = json!({ "name": TOOL, "arguments": { "n": 1 } });
    for (transport, era, name) in [
        (Transport::Http, Era::Legacy, "http"),
        (Transport::Http, Era::Modern, "http"),
        (Transport::Sse, Era::Legacy, "sse"),
        (Transport::WebSocket, Era::Modern, "websocket"),
    ] {
        let path = if transport == Transport::Sse { "/sse" } else { "/mcp" };
        let mut talker = Talker::open(hub.address, path, transport, era).await;
        talker.ask("tools/call", &params).await;
        let revision = era.version();
        let wanted = json!({ "kind": "call", "action": "tools/call", "transport": name, "revision": revision });
        let found = record(&log_of(&hub), wanted).await;
        assert_eq!((&found["server"], &found["name"]), (&json!("s"), &json!("test_simple_text")), "{found}");
        assert_eq!((&found["outcome"], &found["decision"]), (&json!("success"), &json!("allow")), "{found}");
        assert_eq!((&found["principal_kind"], &found["address"]), (&json!("local"), &json!("127.0.0.1")), "{found}");
        assert!(found["duration_us"].as_u64().unwrap() > 0 && found["client"].is_string(), "{found}");
        assert_eq!(found["trace_id"].as_str().unwrap().len(), 32, "{found}");
        // Their digest, and nothing of them in clear.
        assert_eq!(found["arguments_sha256"].as_str().unwrap().len(), 64, "{found}");
        assert_eq!(found.get("arguments"), None, "{found}");
    }
    record(&log_of(&hub), json!({ "kind": "authentication", "action": "login", "outcome": "success" })).await;
    record(&log_of(&hub), json!({ "kind": "authentication", "action": "session/open" })).await;
    record(&log_of(&hub), json!({ "kind": "configuration", "action": "hub/start" })).await;
    let logins = records(&log_of(&hub)).iter().filter(|one| one["action"] == "login").count();
    assert_eq!(logins, 1, "once for a caller and an address, not with each request");
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_6_failures_refusals_and_calls_let_go_are_on_record() {
    let rules = json!({ "deny": ["s:test_error_handling"] });
    let hub = Hub::configured(json!({ "servers": servers(), "policy": rules, "auth": { "mode": "none" } }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (body, headers) = client.message("tools/call", json!({ "name": "s__test_error_handling", "arguments": {} }));
    let mut headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    headers.push(("traceparent", &parent));
    let refused = client.post(&body, &headers).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let denied = record(&log_of(&hub), json!({ "kind": "call", "outcome": "denied" })).await;
    assert_eq!((&denied["decision"], &denied["error"]), (&json!("deny"), &json!("denied")), "{denied}");
    assert!(!denied["policies"].as_array().unwrap().is_empty() && denied["trace_id"] == trace, "{denied}");
    let decision = record(&log_of(&hub), json!({ "kind": "decision", "outcome": "denied" })).await;
    assert_eq!(decision["trace_id"], trace, "DIAG-3: one trace in the decision and the call");
    assert!(hub.log().contains(&format!("trace_id={trace}")), "and in the log: {}", hub.log());
    let unknown = client.ask("tools/call", json!({ "name": "s__nothing", "arguments": {} })).await;
    assert!(unknown.json()["error"].is_object() || unknown.json()["result"]["isError"] == true);
    let failed = record(&log_of(&hub), json!({ "kind": "call", "outcome": "failed" })).await;
    assert!(failed["name"].as_str().unwrap().contains("nothing"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_6_a_tools_own_error_is_a_failure_and_arguments_are_kept_where_wanted() {
    let hub = Hub::configured(json!({ "servers": servers(), "audit": { "arguments": true } }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    client.ask("tools/call", json!({ "name": "s__test_error_handling", "arguments": { "why": "ada" } })).await;
    let failed = record(&log_of(&hub), json!({ "kind": "call", "name": "test_error_handling" })).await;
    assert_eq!((&failed["outcome"], &failed["error"]), (&json!("failed"), &json!("server_error")), "{failed}");
    assert_eq!(failed["arguments"], r#"{"why":"ada"}"#, "{failed}");
    assert!(!hub.log().contains("ada"), "the hub's own log has no arguments: {}", hub.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_6_commands_and_stdio_beside_a_hub_are_on_record_in_logs_of_their_own() {
    let hub = Hub::configured(json!({ "servers": servers(), "data_dir": "data" }));
    hub.awake().await;
    let data = hub.home.path().join("data");
    let mut command = hub::command(&hub.home);
    command.args(["call", "s:test_simple_text", "--config"]).arg(hub.config_file());
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    let beside = data.join("audit-2");
    let called = record(&beside, json!({ "kind": "call", "transport": "command" })).await;
    assert_eq!((&called["server"], &called["outcome"]), (&json!("s"), &json!("success")), "{called}");
    let mut command = hub::command(&hub.home);
    command.args(["stdio", "--config"]).arg(hub.config_file()).arg("--data-dir").arg(&data);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let meta = crate::harness::client::modern_meta();
    let params = json!({ "name": TOOL, "arguments": {}, "_meta": meta });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let mut input = process.stdin.take().unwrap();
    writeln!(input, "{call}").unwrap();
    let called = record(&beside, json!({ "kind": "call", "transport": "stdio" })).await;
    assert_eq!(called["outcome"], "success", "{called}");
    drop(input);
    assert!(process.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn cfg_7_changes_of_the_configuration_are_on_record_refused_ones_too() {
    let mut hub = Hub::with(servers());
    hub.awake().await;
    hub.reconfigure(json!({ "servers": { "other": everything(&[]) } }));
    let taken = record(&log_of(&hub), json!({ "action": "configuration/reload", "outcome": "success" })).await;
    assert_eq!(taken["servers"], json!(["-s", "+other"]), "{taken}");
    assert_eq!(taken["sections"], json!(["servers"]), "{taken}");
    std::fs::write(hub.config_file(), "servers: 7\n").unwrap();
    let refused = record(&log_of(&hub), json!({ "action": "configuration/reload", "outcome": "failed" })).await;
    assert!(refused["reason"].as_str().unwrap().contains("servers"), "{refused}");
    hub.terminate();
    assert_eq!(hub.stopped(), Some(0));
    let all = records(&log_of(&hub));
    assert_eq!(all.last().map(|last| last["action"].clone()), Some(json!("hub/stop")), "{all:#?}");
}

/// What a file of the hub's may have in bytes from now on; `None` for any number.
fn limit_files(hub: &Hub, bytes: Option<u64>) {
    let pid = Pid::from_raw(hub.pid).unwrap();
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ret_1_strict_makes_no_call_without_its_record_and_goes_on_when_the_disk_does() {
    let hub = Hub::configured(json!({ "servers": servers(), "audit": { "mode": "strict" } }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let call = async || client.ask("tools/call", json!({ "name": TOOL, "arguments": {} })).await;
    assert_eq!(call().await.status, 200);
    // Durable before the answer was sent: nothing is waited for.
    let all = records(&log_of(&hub));
    let of = |phase: &str| all.iter().find(|one| one["phase"] == phase).cloned().unwrap_or_default();
    let (begun, ended) = (of("begun"), of("ended"));
    assert_eq!((&begun["outcome"], &ended["outcome"]), (&json!("pending"), &json!("success")), "{all:#?}");
    assert!(begun["call"].is_string() && begun["call"] == ended["call"], "{all:#?}");
    // As a full disk: every write of the hub's fails.
    limit_files(&hub, Some(0));
    let refused = call().await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let told = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(told.contains("the call was not made") && told.contains("audit.mode: strict"), "{told}");
    let ready = hub.ready().await;
    assert_eq!((&ready["status"], &ready["audit"]["failing"]), (&json!("degraded"), &json!(true)), "{ready}");
    limit_files(&hub, None);
    until("the log goes on", 60, async || {
        let status = call().await.status;
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    assert_eq!(hub.ready().await["audit"]["failing"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn ret_1_fast_serves_on_and_says_what_it_could_not_keep() {
    let audit = json!({ "queue_records_max": 64 });
    let hub = Hub::configured(json!({ "servers": servers(), "audit": audit }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let call = async || client.ask("tools/call", json!({ "name": TOOL, "arguments": {} })).await.status;
    limit_files(&hub, Some(0));
    until("events are shed", 60, async || {
        for _ in 0..50 {
            assert_eq!(call().await, 200, "nobody waits for the log");
        }
        let ready = hub.ready().await;
        if ready["audit"]["shed"].as_u64().unwrap() > 0 { Ok(()) } else { Err(ready["audit"].to_string()) }
    })
    .await;
    limit_files(&hub, None);
    let told = until("what was shed is on record", 60, async || {
        call().await;
        let all = records(&log_of(&hub));
        let shed = all.iter().find(|one| one["kind"] == "log" && one["count"].is_number()).cloned();
        shed.ok_or_else(|| format!("{:?}", all.last()))
    })
    .await;
    assert!(told["count"].as_u64().unwrap() > 0, "{told}");
}

#[test]
fn ret_1_strict_does_not_start_without_its_log() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    let config = json!({ "servers": {}, "audit": { "mode": "strict", "path": "file/audit" } });
    std::fs::write(home.path().join("omni.yaml"), config.to_string()).unwrap();
    let mut command = hub::command(&home);
    command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("audit.mode is strict"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn diag_4_fast_starts_without_its_log_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    let hub = Hub::at(home, json!({ "servers": servers(), "audit": { "path": "file/audit" } }));
    let ready: Value = http::get(hub.address, "/readyz", &[]).await.json();
    assert_eq!((&ready["status"], &ready["audit"]["failing"]), (&json!("degraded"), &json!(true)), "{ready}");
    assert!(hub.log().contains("audit log cannot be opened"), "{}", hub.log());
}

/// TOOL-7: what was recorded is what a new policy is tried on, before it is loaded.
#[tokio::test(flavor = "multi_thread")]
async fn tool_7_a_recorded_run_is_tried_against_a_new_policy() {
    let hub = Hub::configured(json!({ "servers": servers(), "audit": { "arguments": true } }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    for number in [1, 2, 3] {
        let answer = client.ask("tools/call", json!({ "name": TOOL, "arguments": { "n": number } })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    until("the calls are on record", 20, async || {
        let calls = records(&log_of(&hub)).iter().filter(|one| one["action"] == "tools/call").count();
        if calls == 3 { Ok(()) } else { Err(format!("{calls} are")) }
    })
    .await;
    let home = hub.home.path();
    let omni = |arguments: &[&str]| {
        let mut command = hub::command(&hub.home);
        command.arg("--config").arg(hub.config_file()).args(arguments).stderr(Stdio::piped());
        command.output().unwrap()
    };
    let log = log_of(&hub);
    let exported = omni(&["audit", "export", "--format", "jsonl", "--dir", log.to_str().unwrap()]);
    assert!(exported.status.success(), "{exported:?}");
    std::fs::write(home.join("events.jsonl"), &exported.stdout).unwrap();
    let forbids = r#"forbid(principal, action == Action::"tools/call", resource == Tool::"s:test_simple_text")
        when { context.numbers.hasTag("n") && context.numbers.getTag("n") > 1 };"#;
    std::fs::write(home.join("new.cedar"), forbids).unwrap();
    let new = json!({ "servers": servers(), "policy": { "files": [home.join("new.cedar")] } });
    std::fs::write(home.join("new.yaml"), new.to_string()).unwrap();
    let (events, against) = (home.join("events.jsonl"), home.join("new.yaml"));
    let compared =
        omni(&["policy", "diff", "--calls", events.to_str().unwrap(), "--against", against.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&compared.stdout);
    assert_eq!(compared.status.code(), Some(1), "{compared:?}");
    assert!(told.contains("tools/call s:test_simple_text -> deny (2 of them)"), "{told}");
    assert!(told.contains("2 of 3 decisions change") && told.contains("events passed over"), "{told}");
}
