//! The admin API and its commands: keys that open what they are for and end at once, a store that fails closed, a socket
//! that is one user's alone (rows AUTH-4, AUTH-7, DIAG-3, GW-2).

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use ::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::http::{self, Answer};
use crate::harness::{Client, Era, Hub, bad, everything, hub, until};

/// Runs `omni` with these arguments at `home`; the hub's own data directory is meant.
fn omni(home: &TempDir, arguments: &[&str]) -> Output {
    let mut command = hub::command(home);
    command.arg("--config").arg(home.path().join("omni.yaml")).args(arguments);
    command.env("OMNI_DATA_DIR", home.path().join("data"));
    command.stderr(std::process::Stdio::piped()).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The same, which has to go well; the JSON that it prints.
fn json_of(home: &TempDir, arguments: &[&str]) -> Value {
    let output = omni(home, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {}", told(&output)))
}

fn servers() -> Value {
    json!({ "one": bad(&["hang"]), "two": bad(&["hang"]) })
}

/// A hub that lets in only who shows a token.
fn strict() -> Hub {
    Hub::configured(json!({ "servers": servers(), "auth": { "mode": "local" } }))
}

/// One request of 2026-07-28 with this token.
async fn ask(hub: &Hub, token: &str, method: &str, name: Option<&str>) -> Answer {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut params = json!({ "_meta": meta });
    let bearer = format!("Bearer {token}");
    let mut headers = vec![
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", method),
        ("authorization", bearer.as_str()),
    ];
    if let Some(name) = name {
        params["name"] = json!(name);
        params["arguments"] = json!({ "text": "hello" });
        headers.push(("mcp-name", name));
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    http::send(hub.address, http::request(Method::POST, hub.address, "/mcp", &headers, body)).await
}

fn tools(answer: &Answer) -> Vec<String> {
    let all = answer.json()["result"]["tools"].as_array().cloned().unwrap_or_default();
    all.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_a_key_opens_what_it_is_for_and_ends_at_once() {
    let hub = strict();
    hub.awake().await;
    let made = json_of(&hub.home, &["key", "create", "ci", "--server", "one", "--role", "developer"]);
    let (secret, id) = (made["secret"].as_str().unwrap(), made["key"]["id"].as_str().unwrap());
    let listed = ask(&hub, secret, "tools/list", None).await;
    let names = tools(&listed);
    assert!(!names.is_empty() && names.iter().all(|name| name.starts_with("one__")), "{names:?}");
    assert_eq!(ask(&hub, secret, "tools/call", Some("one__echo")).await.status, 200);
    let elsewhere = ask(&hub, secret, "tools/call", Some("two__echo")).await;
    assert!(elsewhere.status >= 400 || elsewhere.json()["error"].is_object(), "{}", elsewhere.json());

    // Nothing of a key but the whole key is good, and what is wrong is not told.
    let typo = format!("{}x", &secret[..secret.len() - 1]);
    for wrong in ["", "x", &secret[..30], typo.as_str()] {
        assert_eq!(
            ask(&hub, wrong, "tools/list", None).await.status,
            if wrong.is_empty() { 400 } else { 401 },
            "{wrong}"
        );
    }

    let keys = json_of(&hub.home, &["key", "list"]);
    assert_eq!(keys[0]["name"], "ci");
    assert!(keys[0]["last_used_at"].is_i64(), "{keys}");
    assert!(!keys.to_string().contains(secret), "{keys}");
    let again = omni(&hub.home, &["key", "create", "ci"]);
    assert!(!again.status.success() && told(&again).contains("rotate it"), "{}", told(&again));

    // Rotated with an overlap both are good; revoked by name, neither is, from the answer on.
    let next = json_of(&hub.home, &["key", "rotate", id]);
    let second = next["secret"].as_str().unwrap();
    assert_eq!(next["key"]["servers"], json!(["one"]));
    for good in [secret, second] {
        assert_eq!(ask(&hub, good, "tools/list", None).await.status, 200);
    }
    let revoked = json_of(&hub.home, &["key", "revoke", "ci"]);
    assert_eq!(revoked["revoked"].as_array().unwrap().len(), 2);
    for ended in [secret, second] {
        assert_eq!(ask(&hub, ended, "tools/list", None).await.status, 401);
    }
    let log = hub.log();
    for action in ["keys/create", "keys/rotate", "keys/revoke"] {
        assert!(log.lines().any(|line| line.contains("audit") && line.contains(action)), "{action} in {log}");
    }
    let kept = std::fs::read(hub.home.path().join("data/omni.db")).unwrap();
    let wal = std::fs::read(hub.home.path().join("data/omni.db-wal")).unwrap_or_default();
    for leak in [secret, second] {
        let hidden = &leak.as_bytes()[18..];
        assert!([&kept, &wal].iter().all(|file| !file.windows(hidden.len()).any(|part| part == hidden)));
        assert!(!log.contains(leak));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_a_session_that_a_key_opened_ends_with_it() {
    let hub = strict();
    hub.awake().await;
    let made = json_of(&hub.home, &["key", "create", "ci", "--role", "developer"]);
    let bearer = format!("Bearer {}", made["secret"].as_str().unwrap());
    let open = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "e2e", "version": "1" } } });
    let mut headers = vec![
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("authorization", bearer.as_str()),
    ];
    let request = http::request(Method::POST, hub.address, "/mcp", &headers, open.to_string());
    let opened = http::send(hub.address, request).await;
    assert_eq!(opened.status, 200);
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    headers.push(("mcp-session-id", &session));
    headers.push(("mcp-protocol-version", "2025-11-25"));
    let stream = http::begin(hub.address, http::request(Method::GET, hub.address, "/mcp", &headers, "")).await;
    assert_eq!(stream.status(), 200);
    assert_eq!(json_of(&hub.home, &["status"])["sessions"], 1);
    json_of(&hub.home, &["key", "revoke", "ci"]);
    assert_eq!(json_of(&hub.home, &["status"])["sessions"], 0);
    // The stream that was open ends by itself.
    http::whole(stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_keys_are_made_without_a_hub_and_taken_over_while_one_runs() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("omni.yaml"), "servers: {}\n").unwrap();
    let before = json_of(&home, &["key", "create", "early", "--role", "developer"]);
    let checked = omni(&home, &["store", "check"]);
    assert!(checked.status.success() && told(&checked).contains("whole"), "{}", told(&checked));
    let hub = Hub::at(home, json!({ "servers": servers(), "auth": { "mode": "local" } }));
    hub.awake().await;
    assert_eq!(ask(&hub, before["secret"].as_str().unwrap(), "tools/list", None).await.status, 200);
    let status = omni(&hub.home, &["status"]);
    assert!(told(&status).contains("store      in order"), "{}", told(&status));
    let servers = json_of(&hub.home, &["servers"]);
    assert_eq!(servers.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_4_a_damaged_store_lets_nobody_in_by_key_and_the_hub_runs() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("omni.yaml"), "servers: {}\n").unwrap();
    let made = json_of(&home, &["key", "create", "early", "--role", "developer"]);
    let file = home.path().join("data/omni.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let whole = bytes.len();
    bytes[4096..whole].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let hub = Hub::at(home, json!({ "servers": servers(), "auth": { "mode": "local" } }));
    hub.awake().await;
    assert_eq!(ask(&hub, made["secret"].as_str().unwrap(), "tools/list", None).await.status, 503);
    assert_eq!(json_of(&hub.home, &["status"])["store"], "unreadable");
    let create = omni(&hub.home, &["key", "create", "other"]);
    assert!(!create.status.success() && told(&create).contains("damaged"), "{}", told(&create));
    assert!(hub.log().contains("API keys and tokens of providers are refused"));
    let check = omni(&hub.home, &["store", "check"]);
    assert!(!check.status.success(), "{}", told(&check));
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_2_the_admin_api_is_on_its_socket_alone() {
    let mut hub = strict();
    let socket = hub.home.path().join("data/admin.sock");
    // The hub says that it serves clients before the socket is there.
    until("the socket is there", 20, async || {
        if socket.exists() { Ok(()) } else { Err(format!("{} is not", socket.display())) }
    })
    .await;
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for path in ["/admin/v1/status", "/admin/v1/keys"] {
        let answer = http::get(hub.address, path, &[]).await;
        assert!(matches!(answer.status, 401 | 404), "{path}: {}", answer.status);
    }
    // A link in the socket's place is not followed: nobody knows who listens behind it.
    let aside = hub.home.path().join("elsewhere.sock");
    std::fs::rename(&socket, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &socket).unwrap();
    let refused = omni(&hub.home, &["status"]);
    assert!(!refused.status.success() && told(&refused).contains("no socket"), "{}", told(&refused));
    std::fs::remove_file(&socket).unwrap();
    std::fs::rename(&aside, &socket).unwrap();
    assert!(omni(&hub.home, &["status"]).status.success());
    hub.terminate();
    assert_eq!(hub.stopped(), Some(0));
    assert!(!socket.exists(), "it is taken away");
    let gone = omni(&hub.home, &["status"]);
    assert!(!gone.status.success() && told(&gone).contains("no hub runs"), "{}", told(&gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_2_a_wish_to_reload_says_what_came_of_it() {
    let hub = strict();
    let reload = || omni(&hub.home, &["reload"]);
    std::fs::write(hub.config_file(), "servers:\n  one:\n    comand: x\n").unwrap();
    let bad = reload();
    assert!(!bad.status.success() && told(&bad).contains("omni.yaml:3"), "{}", told(&bad));
    assert_eq!(json_of(&hub.home, &["status"])["servers"]["failing"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_4_a_revocation_is_kept_listed_and_taken_back() {
    let hub = strict();
    let wanted = ["token", "revoke", "--subject", "ann", "--reason", "left"];
    let nobody = omni(&hub.home, &wanted);
    assert!(!nobody.status.success() && told(&nobody).contains("issuer"), "{}", told(&nobody));
    let row = json_of(&hub.home, &[&wanted[..], &["--issuer", "https://idp.example"]].concat());
    let list = json_of(&hub.home, &["token", "list"]);
    assert_eq!((&list[0]["value"], &list[0]["reason"], &list[0]["id"]), (&json!("ann"), &json!("left"), &row["id"]));
    let id = row["id"].as_str().unwrap();
    assert!(omni(&hub.home, &["token", "restore", id]).status.success());
    assert!(!omni(&hub.home, &["token", "restore", id]).status.success());
    assert_eq!(json_of(&hub.home, &["token", "list"]), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_7_a_call_waits_for_an_administrators_word_and_runs_once_for_a_yes() {
    let hub = Hub::configured(json!({
        "servers": { "s": everything(&[]) },
        "policy": { "approve": ["s:test_simple_text"] },
    }));
    hub.awake().await;
    // A client that has no way to ask the person in front of it.
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let call = || client.ask("tools/call", json!({ "name": "s__test_simple_text", "arguments": {} }));
    for (word, status) in [("approve", 200), ("deny", 403)] {
        let deciding = async {
            let waiting = until("the call waits", 20, async || {
                let list = json_of(&hub.home, &["approvals", "list"]);
                if list[0]["id"].is_string() { Ok(list) } else { Err(list.to_string()) }
            })
            .await;
            assert_eq!((&waiting[0]["server"], &waiting[0]["name"]), (&json!("s"), &json!("test_simple_text")));
            let id = waiting[0]["id"].as_str().unwrap().to_owned();
            let decided = omni(&hub.home, &["approvals", word, &id]);
            assert!(decided.status.success(), "{}", told(&decided));
            assert!(!omni(&hub.home, &["approvals", word, &id]).status.success(), "no word counts twice");
        };
        let (answer, ()) = tokio::join!(call(), deciding);
        assert_eq!(answer.status, status, "{word}: {answer:?}");
    }
}
