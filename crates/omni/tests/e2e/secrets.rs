//! Secrets reach the servers that they are for and nothing else: they stand in no answer, log line or record (SEC-3, SEC-4, SEC-5).

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::acted::{Acted, Said, modern_hello};
use crate::harness::hub::command;
use crate::harness::peers::Peers;
use crate::harness::recorded::{log_of, record, records};
use crate::harness::{Client, Era, Hub, everything, until};

const FIRST: &str = "first-s3cret/value";
const SECOND: &str = "second-s3cret/value";

/// `omni secret WHAT`, in the hub's data directory, with `input` on its standard input.
fn secret(home: &tempfile::TempDir, what: &[&str], input: &str) -> (bool, String) {
    let mut omni = command(home);
    omni.arg("secret").args(what).arg("--data-dir").arg(home.path().join("data"));
    let mut process = omni.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // A command that reads no standard input may have gone by now.
    let _it_may_not_listen = process.stdin.take().unwrap().write_all(input.as_bytes());
    let output = process.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Every file below the hub's home that the hub itself writes, as one text.
fn written(hub: &Hub) -> String {
    fn walk(folder: &std::path::Path, out: &mut String) {
        for entry in folder.read_dir().unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if let Ok(bytes) = std::fs::read(&path) {
                out.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }
    let mut out = hub.log();
    walk(&hub.home.path().join("data"), &mut out);
    out
}

/// A server that answers with the header that it was sent.
async fn echoing_authorization() -> Acted {
    let tools = json!([{ "name": "tell", "inputSchema": { "type": "object" } }]);
    Acted::start(move |asked| {
        let sent = asked.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("nothing");
        modern_hello(asked, &json!({ "tools": {} }), &tools).unwrap_or_else(|| {
            let content = json!([{ "type": "text", "text": format!("I was sent {sent}.") }]);
            Said::result(asked, json!({ "resultType": "complete", "content": content }))
        })
    })
    .await
}

/// What `server` was sent with the calls so far.
fn sent(server: &Acted) -> Vec<String> {
    let calls = server.asked("tools/call");
    calls.iter().map(|asked| asked.headers["authorization"].to_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_5_a_header_is_had_from_the_store_masked_in_answers_and_rotated() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(secret(&home, &["set", "token"], &format!("{FIRST}\n")), (true, String::new()));
    assert_eq!(secret(&home, &["get", "token"], ""), (true, FIRST.to_owned()));
    let server = echoing_authorization().await;
    let mut entry = server.entry();
    entry["headers"] = json!({ "Authorization": "Bearer ${SECRET:token}" });
    // It stands in nobody else's entry, and one that has no secret to be had goes on by itself.
    let lacking = json!({ "url": server.entry()["url"], "headers": { "X-Key": "${STORE:nothing}" } });
    let hub = Hub::at(home, json!({ "servers": { "tells": entry, "lacks": lacking, "plain": everything(&[]) } }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let tools = async |name: &'static str| {
        until(name, 30, async || {
            let tools = client.tools().await;
            if tools.iter().any(|tool| tool == name) { Ok(()) } else { Err(format!("{tools:?}")) }
        })
        .await;
    };
    tools("tells__tell").await;
    tools("plain__test_simple_text").await;
    assert_eq!(client.text("tells__tell", json!({})).await, "I was sent Bearer [secret token masked].");
    assert_eq!(sent(&server), [format!("Bearer {FIRST}")]);

    until("it says why it is down", 30, async || {
        let why = hub.server("lacks").await.to_string();
        let says = why.contains("its secrets cannot be had") && why.contains("omni secret set nothing");
        if says { Ok(()) } else { Err(why) }
    })
    .await;

    assert!(secret(&hub.home, &["set", "token"], SECOND).0);
    until("the new value is sent", 30, async || {
        let told = client.response("tools/call", json!({ "name": "tells__tell", "arguments": {} })).await;
        let last = sent(&server).pop().unwrap();
        if last == format!("Bearer {SECOND}") { Ok(()) } else { Err(format!("{last} {told}")) }
    })
    .await;
    assert_eq!(client.text("tells__tell", json!({})).await, "I was sent Bearer [secret token masked].");
    assert!(secret(&hub.home, &["set", "nothing"], "something-at-last").0);
    tools("lacks__tell").await;

    let resolved =
        json!({ "kind": "secret", "action": "secrets/resolve", "secret": "${SECRET:token}", "outcome": "success" });
    let resolved = record(&log_of(&hub), resolved).await;
    assert_eq!((&resolved["server"], &resolved["provider"]), (&json!("tells"), &json!("store")), "{resolved}");
    let text = written(&hub) + &format!("{:?}", records(&log_of(&hub)));
    assert!(text.contains("secrets.json") || text.contains("omni-secrets-1"), "the data directory was looked through");
    for value in [FIRST, SECOND, "something-at-last"] {
        assert!(!text.contains(value), "{value} stands in what the hub wrote");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_3_a_real_server_gets_its_variable_and_nobody_sees_it() {
    let Some(peers) = Peers::find() else { return };
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("mounted")).unwrap();
    std::fs::write(home.path().join("mounted/db"), format!("{{\"user\":{{\"password\":\"{FIRST}\"}}}}\n")).unwrap();
    let program = peers.module("server-everything/dist/index.js");
    let env = json!({ "DB_URL": "postgres://ada:${FILE:db:user.password}@db/x", "PLAIN": "$${FILE:db}" });
    let servers = json!({ "all": { "command": peers.node, "args": [program, "stdio"], "env": env } });
    let secrets = json!({ "folder": home.path().join("mounted"), "names": { "db": { "servers": ["all"] } } });
    let hub = Hub::at(home, json!({ "servers": servers, "secrets": secrets }));
    hub.awake().await;
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        let shown: Value = serde_json::from_str(&client.text("all__get-env", json!({})).await).unwrap();
        assert_eq!(shown["DB_URL"], "postgres://ada:[secret db masked]@db/x");
        assert_eq!(shown["PLAIN"], "${FILE:db}", "what is escaped is text");
    }
    let others = json!({ "folder": hub.home.path().join("mounted"), "names": { "db": { "servers": ["other"] } } });
    hub.reconfigure(json!({ "servers": servers, "secrets": others }));
    until("it is not granted any more", 30, async || {
        let client = Client::open(&hub, "/mcp", Era::Modern).await;
        let told = client.response("tools/call", json!({ "name": "all__get-env", "arguments": {} })).await.to_string();
        if told.contains("not granted to server `all`") { Ok(()) } else { Err(told) }
    })
    .await;
    assert!(!written(&hub).contains(FIRST));
}

#[tokio::test]
async fn sec_3_the_store_is_kept_by_commands() {
    let home = tempfile::tempdir().unwrap();
    assert!(!secret(&home, &["get", "a"], "").0);
    assert!(secret(&home, &["import", "-"], "A=1\nexport B='two words'\n").0);
    assert_eq!(secret(&home, &["get", "B"], ""), (true, "two words".to_owned()));
    assert!(secret(&home, &["rotate"], "").0);
    assert_eq!(secret(&home, &["get", "A"], ""), (true, "1".to_owned()));
    let (_, listed) = secret(&home, &["list", "--json"], "");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["name"], &listed[1]["name"], &listed[2]), (&json!("A"), &json!("B"), &Value::Null));
    assert!(!secret(&home, &["set", "no:name"], "x").0);
    assert!(!secret(&home, &["set", "empty"], "").0);
    assert!(secret(&home, &["rm", "A"], "").0 && !secret(&home, &["rm", "A"], "").0);
}

#[tokio::test]
async fn sec_3_credentials_are_found_moved_and_brought_back() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("omni.yaml");
    let before = "servers:\n  a:\n    url: http://127.0.0.1:1/mcp # mine\n    headers: {Authorization: 'Bearer ghp-of-ada'}\n  \
                  b: {command: x, args: [--token=in-an-argument], env: {API_KEY: key-of-b, PLAIN: x}}\n";
    std::fs::write(&file, before).unwrap();
    let client = json!({ "mcpServers": { "c": { "command": "x", "env": { "C_TOKEN": "token-of-c" } } } });
    std::fs::write(home.path().join(".mcp.json"), client.to_string()).unwrap();
    let read = || std::fs::read_to_string(&file).unwrap();
    let (done, shown) = secret(&home, &["scan"], "");
    assert!(done && read() == before, "{shown}");
    for part in ["servers.a.headers.Authorization", "${STORE:b/API_KEY}", "by hand", ".mcp.json", "c: env.C_TOKEN"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for value in ["ghp-of-ada", "in-an-argument", "key-of-b", "token-of-c"] {
        assert!(!shown.contains(value), "{shown}");
    }
    assert!(secret(&home, &["scan", "--write"], "").0);
    let after = before.replace("ghp-of-ada", "${STORE:a/Authorization}").replace("key-of-b", "\"${STORE:b/API_KEY}\"");
    assert_eq!(read(), after);
    assert_eq!(secret(&home, &["get", "b/API_KEY"], "").1, "key-of-b");
    assert_eq!(secret(&home, &["get", "a/Authorization"], "").1, "ghp-of-ada");
    assert!(secret(&home, &["scan", "--undo"], "").0);
    assert_eq!(read(), before);
    assert!(!secret(&home, &["scan", "--undo"], "").0, "there is nothing more to undo");
}

#[tokio::test]
async fn sec_3_a_passphrase_keeps_the_store() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("pass"), "correct horse battery\n").unwrap();
    assert!(secret(&home, &["set", "a"], "value-of-a").0);
    assert!(!secret(&home, &["protect", "passphrase"], "").0, "nobody says which");
    let with = |what: &[&str]| {
        let mut omni = command(&home);
        omni.env("OMNI_PASSPHRASE_FILE", home.path().join("pass"));
        omni.arg("secret").args(what).arg("--data-dir").arg(home.path().join("data")).stdin(Stdio::null());
        let output = omni.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(with(&["protect", "passphrase"]).0);
    assert_eq!(with(&["get", "a"]), (true, "value-of-a".to_owned()));
    assert!(!secret(&home, &["get", "a"], "").0, "without the passphrase nothing opens");
    assert!(with(&["rotate"]).0 && with(&["protect", "file"]).0);
    assert_eq!(secret(&home, &["get", "a"], ""), (true, "value-of-a".to_owned()));
}
