//! The audit log of a hub that runs: its keys, its section of the configuration, what processes beside it wrote, and keys that are kept
//! elsewhere (SHB-4, CFG-7, TOOL-6, TOOL-7, DIAG-3).

use std::os::unix::fs::DirBuilderExt as _;
use std::process::{Command, Output, Stdio};

use omni_audit::FileKek;
use serde_json::{Value, json};

use crate::harness::hub::{self, OMNI};
use crate::harness::recorded::{log_of, record};
use crate::harness::{Client, Era, Hub, everything, until};

const TOOL: &str = "s__test_simple_text";

fn servers() -> Value {
    json!({ "s": everything(&[]) })
}

/// `omni audit …` with the hub's own configuration and data directory.
fn omni(hub: &Hub, arguments: &[&str]) -> Output {
    let mut command = Command::new(OMNI);
    command.env_clear().env("HOME", hub.home.path()).current_dir(hub.home.path()).arg("audit").args(arguments);
    command.arg("--data-dir").arg(hub.home.path().join("data")).stdin(Stdio::null()).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn call(client: &Client) {
    client.result("tools/call", json!({ "name": TOOL, "arguments": {} })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_4_the_keys_of_a_running_hub_are_rotated_and_all_stays_readable() {
    let hub = Hub::configured(json!({ "servers": servers(), "data_dir": "data" }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    call(&client).await;
    record(&log_of(&hub), json!({ "kind": "call", "outcome": "success" })).await;
    let first = std::fs::read_to_string(log_of(&hub).join("log.vkey")).unwrap();
    let encryption = || std::fs::read_to_string(log_of(&hub).join("keys/encryption.key")).unwrap();
    let before = encryption();
    let signing = omni(&hub, &["rotate-key", "signing"]);
    assert!(signing.status.success(), "{signing:?}");
    let next = String::from_utf8_lossy(&signing.stdout).trim().to_owned();
    assert!(std::fs::read_to_string(log_of(&hub).join("log.vkey")).unwrap().lines().any(|line| line == next));
    assert!(omni(&hub, &["rotate-key", "encryption"]).status.success());
    assert_ne!(encryption(), before);
    call(&client).await;
    let rotated =
        record(&log_of(&hub), json!({ "action": "audit/rotate", "kind": "administration", "name": next })).await;
    assert_eq!((&rotated["outcome"], &rotated["principal_kind"]), (&json!("success"), &json!("local")), "{rotated}");
    until("both calls are read", 20, async || {
        let calls = lines(&omni(&hub, &["query", "kind=call", "--json"]));
        let readable = calls.iter().all(|one| one["unreadable"].is_null() && one["name"] == "test_simple_text");
        if calls.len() == 2 && readable { Ok(()) } else { Err(format!("{calls:#?}")) }
    })
    .await;
    // By the first key alone, which vouches for the next one.
    until("what both keys signed is whole", 20, async || {
        let verified = omni(&hub, &["verify", "--key", first.trim()]);
        if verified.status.success() { Ok(()) } else { Err(format!("{verified:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_6_what_processes_beside_the_hub_did_is_asked_with_its_own_log() {
    let hub = Hub::configured(json!({ "servers": servers(), "data_dir": "data" }));
    hub.awake().await;
    call(&Client::open(&hub, "/mcp", Era::Modern).await).await;
    let own = record(&log_of(&hub), json!({ "kind": "call", "transport": "http" })).await;
    let mut command = hub::command(&hub.home);
    command.args(["call", "s:test_simple_text", "--config"]).arg(hub.config_file());
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    call(&Client::open(&hub, "/mcp", Era::Modern).await).await;
    let found = until("the three calls are one list", 20, async || {
        let found = lines(&omni(&hub, &["query", "kind=call", "outcome=success", "--json", "--oldest-first"]));
        if found.len() == 3 { Ok(found) } else { Err(format!("{found:#?}")) }
    })
    .await;
    let logs: Vec<&Value> = found.iter().map(|one| &one["log"]).collect();
    assert_eq!(logs, [&Value::Null, &json!(2), &Value::Null], "{found:#?}");
    assert_eq!(found[1]["transport"], "command");
    assert_eq!(own["transport"], found[0]["transport"]);
    let id = format!("2:{}", found[1]["index"]);
    let shown = omni(&hub, &["show", &id, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&shown["event"]["log"], &shown["proof"]["proven"]), (&json!(2), &json!(true)), "{shown}");
    let table = omni(&hub, &["tail", "--no-follow", "kind=call"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains(&id), "{table:?}");
    let exported = lines(&omni(&hub, &["export", "kind=call"]));
    assert!(exported.iter().any(|one| one["log"] == 2) && exported.iter().any(|one| one["log"].is_null()));
    assert!(omni(&hub, &["prove", &id]).status.success());
    assert!(!omni(&hub, &["show", "9:1"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_7_the_policies_that_allowed_a_call_are_on_record() {
    let hub = Hub::configured(json!({ "servers": servers(), "policy": { "allow": ["s:test_simple_*"] } }));
    hub.awake().await;
    call(&Client::open(&hub, "/mcp", Era::Modern).await).await;
    let called = record(&log_of(&hub), json!({ "kind": "call", "outcome": "success" })).await;
    let policies = called["policies"].as_array().cloned().unwrap_or_default();
    assert_eq!((&called["decision"], policies.len()), (&json!("allow"), 1), "{called}");
    assert!(policies[0].as_str().unwrap().contains("allow"), "{called}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cfg_7_the_audit_section_is_taken_over_and_what_waits_is_named() {
    let config = |audit: Value| json!({ "servers": servers(), "data_dir": "data", "audit": audit });
    let hub = Hub::configured(config(json!({})));
    hub.awake().await;
    let witness = hub.home.path().join("elsewhere.notes");
    hub.reconfigure(config(json!({
        "mode": "strict", "arguments": true, "witnesses": [{ "kind": "file", "path": witness }], "witness_every_s": 1,
    })));
    until("the mode is another", 20, async || {
        let ready = hub.ready().await;
        if ready["audit"]["mode"] == "strict" { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;
    call(&Client::open(&hub, "/mcp", Era::Modern).await).await;
    let begun = record(&log_of(&hub), json!({ "kind": "call", "phase": "begun" })).await;
    assert!(begun["arguments"].is_string(), "{begun}");
    until("the new witness has a checkpoint", 20, async || {
        std::fs::read_to_string(&witness).map(drop).map_err(|error| error.to_string())
    })
    .await;
    assert!(!hub.log().contains("take effect when the hub is started again"), "{}", hub.log());
    hub.reconfigure(config(json!({ "group_ms": 5 })));
    until("what waits is named", 20, async || {
        let log = hub.log();
        let told = log.lines().any(|line| line.contains("started again") && line.contains("audit.group_ms"));
        if told { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(hub.ready().await["audit"]["mode"], "fast");
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_4_an_encryption_key_that_a_provider_keeps_is_written_nowhere() {
    let made = Command::new(OMNI).args(["audit", "make-key"]).output().unwrap();
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    FileKek::parse(&key, "what was made").unwrap();
    let home = tempfile::tempdir().unwrap();
    let put = |value: &str| {
        std::fs::DirBuilder::new().mode(0o700).create(home.path().join("data")).unwrap();
        let store = omni_secrets::LocalStore::at(&home.path().join("data"));
        let held = omni_secrets::Held::new(value.to_owned());
        store.put(&[("audit".to_owned(), held)]).unwrap();
    };
    put(&key);
    let audit = json!({ "mode": "strict", "keys": { "encryption": "${STORE:audit}" } });
    let config = json!({ "servers": servers(), "data_dir": "data", "audit": audit });
    let hub = Hub::at(home, config);
    hub.awake().await;
    call(&Client::open(&hub, "/mcp", Era::Modern).await).await;
    let found = until("the call is read with that key", 20, async || {
        let found = lines(&omni(&hub, &["query", "kind=call", "phase=ended", "--json"]));
        if found.is_empty() { Err("none yet".to_owned()) } else { Ok(found) }
    })
    .await;
    assert_eq!(found[0]["name"], "test_simple_text", "{found:?}");
    assert!(!log_of(&hub).join("keys/encryption.key").exists());
    let secret = key.rsplit('+').next().unwrap();
    assert!(!hub.log().contains(secret) && !hub.log().contains(&key), "the hub's log has it");
    let refused = omni(&hub, &["rotate-key", "encryption"]);
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("kept elsewhere"),
        "{refused:?}"
    );
}

#[test]
fn shb_4_where_the_provider_is_down_a_strict_hub_does_not_start() {
    let home = tempfile::tempdir().unwrap();
    let audit = json!({ "mode": "strict", "keys": { "encryption": "${STORE:nothing}" } });
    let config = json!({ "servers": {}, "data_dir": "data", "audit": audit });
    std::fs::write(home.path().join("omni.yaml"), config.to_string()).unwrap();
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    let mut command = hub::command(&home);
    let done = command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success(), "{said}");
    assert!(said.contains("audit.mode is strict") && said.contains("audit.keys.encryption"), "{said}");
    assert!(!home.path().join("data/audit").exists(), "nothing is begun without its key");
}
