//! AUTH-1 and SMET-1: who may use a hub on this machine, from an empty home to the first call, and who may not.

use std::process::Output;

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::harness::client::modern_meta;
use crate::harness::http::{Answer, Events, begin, get, request, send};
use crate::harness::puppet::{Puppet, PuppetCall};
use crate::harness::{Era, Hub, bad, hub, until};

const BOTH: &str = "application/json, text/event-stream";

fn local() -> Hub {
    Hub::configured(json!({ "servers": { "echo": bad(&["hang"]) }, "auth": { "mode": "local" } }))
}

/// Runs `omni` at home with the hub's data directory.
fn omni(hub: &Hub, arguments: &[&str]) -> Output {
    let mut command = hub::command(&hub.home);
    let file = hub.config_file();
    command.args(arguments).arg("--config").arg(file).env("OMNI_DATA_DIR", hub.home.path().join("data"));
    command.stderr(std::process::Stdio::piped()).output().unwrap()
}

/// A token for a client of `name`.
fn token(hub: &Hub, name: &str) -> String {
    let shown = omni(hub, &["connect", "other", "--name", name]);
    let entry: Value = serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{shown:?}"));
    entry[name]["headers"]["Authorization"].as_str().unwrap().to_owned()
}

async fn post(hub: &Hub, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut all = vec![("content-type", "application/json"), ("accept", BOTH)];
    all.extend_from_slice(headers);
    send(hub.address, request(Method::POST, hub.address, path, &all, body.to_string())).await
}

fn initialize() -> Value {
    let info = json!({ "name": "t", "version": "0" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

#[tokio::test]
async fn auth_1_without_a_token_nothing_is_told_and_the_way_in_is() {
    let hub = local();
    for path in ["/mcp", "/mcp/echo", "/mcp/nothing", "/sse"] {
        let refused = post(&hub, path, &[], &initialize()).await;
        assert_eq!(refused.status, 401, "{path}");
        let challenge = refused.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer ") && !challenge.contains("error="), "{challenge}");
        let said = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(said.contains("omni connect"), "{said}");
        // No server's name can be found out by the way a stranger is refused.
        assert_eq!(said, post(&hub, "/mcp", &[], &initialize()).await.json()["error"]["message"].as_str().unwrap());
    }
    for wrong in ["Bearer omni_local_0000000000000000000000000000000000000000000", "Bearer x", "Bearer a.b.c"] {
        let refused = post(&hub, "/mcp", &[("authorization", wrong)], &initialize()).await;
        assert_eq!(refused.status, 401, "{wrong}");
        assert!(refused.headers["www-authenticate"].to_str().unwrap().contains("error=\"invalid_token\""));
    }
    let token = token(&hub, "t");
    let bare = token.strip_prefix("Bearer ").unwrap();
    // Tokens in queries and bodies are none.
    let in_query = post(&hub, &format!("/mcp?access_token={bare}"), &[], &initialize()).await;
    let mut body = initialize();
    body["access_token"] = json!(bare);
    let in_body = post(&hub, "/mcp", &[], &body).await;
    let twice = post(&hub, "/mcp", &[("authorization", &token), ("authorization", &token)], &initialize()).await;
    assert_eq!((in_query.status, in_body.status, twice.status), (401, 401, 400));
    // The door stands before it: a foreign page gets nowhere with a token either.
    let origin = [("authorization", token.as_str()), ("origin", "http://evil.example")];
    assert_eq!(post(&hub, "/mcp", &origin, &initialize()).await.status, 403);
    assert_eq!(get(hub.address, "/.well-known/oauth-protected-resource/mcp", &[]).await.status, 404);
    let let_in = post(&hub, "/mcp", &[("authorization", &token)], &initialize()).await;
    assert_eq!(let_in.status, 200, "{:?}", let_in.body);
}

#[tokio::test]
async fn auth_1_connect_writes_the_token_and_a_new_one_or_undo_ends_it_at_once() {
    let hub = local();
    let file = hub.home.path().join(".claude.json");
    let connected = || -> String {
        let said = omni(&hub, &["connect", "claude", "-y"]);
        assert!(said.status.success(), "{said:?}");
        let shown = String::from_utf8_lossy(&said.stdout).into_owned();
        let entry: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let token = entry["mcpServers"]["omni"]["headers"]["Authorization"].as_str().unwrap().to_owned();
        assert!(!shown.contains(&token), "the token is not shown: {shown}");
        token
    };
    let status = async |token: &str| post(&hub, "/mcp", &[("authorization", token)], &initialize()).await.status;
    let first = connected();
    assert_eq!(status(&first).await, 200);
    let second = connected();
    until("the first token has ended", 10, async || match status(&first).await {
        401 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert_eq!(status(&second).await, 200);
    assert!(omni(&hub, &["connect", "claude", "-y", "--undo"]).status.success());
    until("the second token has ended", 10, async || match status(&second).await {
        401 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    let kept = std::fs::read_to_string(hub.home.path().join("data/local-tokens.json")).unwrap();
    assert!(!kept.contains(first.trim_start_matches("Bearer omni_local_")));
}

#[tokio::test]
async fn auth_4_an_open_stream_ends_with_its_token() {
    let hub = local();
    let token = token(&hub, "t");
    let opened = post(&hub, "/mcp", &[("authorization", &token)], &initialize()).await;
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let headers =
        [("accept", "text/event-stream"), ("authorization", token.as_str()), ("mcp-session-id", session.as_str())];
    let stream =
        crate::harness::http::begin(hub.address, request(Method::GET, hub.address, "/mcp", &headers, "")).await;
    let mut events = crate::harness::http::Events::of(stream);
    assert!(omni(&hub, &["connect", "other", "--name", "t", "--undo"]).status.success());
    while events.event().await.is_some() {}
    // And the session is not found by anybody without one.
    let refused = get(hub.address, "/mcp", &[("accept", "text/event-stream"), ("mcp-session-id", &session)]).await;
    assert_eq!(refused.status, 401);
}

/// A call of `era` with `token`, as a request.
async fn call(hub: &Hub, era: Era, token: &str) -> http::Request<Full<Bytes>> {
    let mut params = json!({ "name": "p__wait", "arguments": {}, "_meta": { "progressToken": "t" } });
    let mut headers = vec![
        ("authorization", token.to_owned()),
        ("content-type", "application/json".to_owned()),
        ("accept", BOTH.to_owned()),
        ("mcp-protocol-version", era.version().to_owned()),
    ];
    match era {
        Era::Legacy => {
            let opened = post(hub, "/mcp", &[("authorization", token)], &initialize()).await;
            headers.push(("mcp-session-id", opened.headers["mcp-session-id"].to_str().unwrap().to_owned()));
        }
        Era::Modern => {
            headers.extend([("mcp-method", "tools/call".to_owned()), ("mcp-name", "p__wait".to_owned())]);
            for (name, value) in modern_meta().as_object().unwrap() {
                params["_meta"][name] = value.clone();
            }
        }
    }
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params }).to_string();
    request(Method::POST, hub.address, "/mcp", &headers, body)
}

/// The same, whose stream has begun.
async fn running(hub: &Hub, puppet: &mut Puppet, era: Era, token: &str) -> (Events, PuppetCall) {
    let request = call(hub, era, token).await;
    let (stream, call) = tokio::join!(begin(hub.address, request), async {
        let call = puppet.call().await;
        call.progress(1);
        call
    });
    assert_eq!(stream.status(), 200);
    let mut events = Events::of(stream);
    while events.event().await.expect("the stream ended").data.is_empty() {}
    (events, call)
}

/// What runs on a token's account ends with it: the stream at once, and the call at its server, whatever the session would
/// have kept of it.
#[tokio::test(flavor = "multi_thread")]
async fn auth_4_the_stream_of_a_running_call_ends_with_its_token_and_no_other_does() {
    let mut puppet = Puppet::start().await;
    let gateway = json!({ "resume_window_s": 3_600 });
    let servers = json!({ "p": puppet.entry() });
    let hub = Hub::configured(json!({ "servers": servers, "auth": { "mode": "local" }, "gateway": gateway }));
    hub.awake().await;
    for (before, era) in Era::BOTH.into_iter().enumerate() {
        let (mine, other) = (token(&hub, "mine"), token(&hub, "other"));
        let (mut ending, _call) = running(&hub, &mut puppet, era, &mine).await;
        let (mut going_on, call) = running(&hub, &mut puppet, era, &other).await;
        assert!(omni(&hub, &["connect", "other", "--name", "mine", "--undo"]).status.success());
        while ending.event().await.is_some() {}
        until("the call is cancelled at its server", 30, async || match puppet.cancelled() {
            count if count == before + 1 => Ok(()),
            count => Err(format!("{count} are")),
        })
        .await;
        call.answer("done");
        let last = going_on.message().await;
        assert_eq!(last["result"]["content"][0]["text"], "done", "{era:?}: {last}");
    }
}

/// A call that would have been answered by one JSON body is held to the same: what its server says after the token has ended
/// is given to nobody, and the call is cancelled there.
#[tokio::test(flavor = "multi_thread")]
async fn auth_4_a_call_that_was_let_in_before_its_token_ended_is_answered_401() {
    let mut puppet = Puppet::start().await;
    // Without a window nothing turns into a stream because it takes long.
    let gateway = json!({ "resume_window_s": 0 });
    let servers = json!({ "p": puppet.entry() });
    let hub = Hub::configured(json!({ "servers": servers, "auth": { "mode": "local" }, "gateway": gateway }));
    hub.awake().await;
    for era in Era::BOTH {
        let (mine, other) = (token(&hub, "mine"), token(&hub, "other"));
        let ending = tokio::spawn(send(hub.address, call(&hub, era, &mine).await));
        let ended = puppet.call().await;
        let going_on = tokio::spawn(send(hub.address, call(&hub, era, &other).await));
        let running = puppet.call().await;
        assert!(omni(&hub, &["connect", "other", "--name", "mine", "--undo"]).status.success());
        let refused = ending.await.unwrap();
        assert_eq!(refused.status, 401, "{era:?}: {refused:?}");
        assert!(refused.headers["www-authenticate"].to_str().unwrap().contains("error=\"invalid_token\""));
        ended.until_cancelled().await;
        running.answer("done");
        let answered = going_on.await.unwrap();
        assert_eq!(answered.json()["result"]["content"][0]["text"], "done", "{era:?}: {answered:?}");
    }
}

#[tokio::test]
async fn auth_1_none_lets_everybody_in_and_says_so_at_the_start() {
    let hub = Hub::with(json!({ "echo": bad(&["hang"]) }));
    assert_eq!(post(&hub, "/mcp", &[], &initialize()).await.status, 200);
    assert!(hub.log().contains("auth.mode is none"), "{}", hub.log());
}

#[tokio::test]
async fn emg_2_failed_logins_slow_their_source_and_lock_nobody_out() {
    let throttle = json!({ "failed_logins": { "rate": "30/h", "burst": 3 } });
    let gateway = json!({ "behind_proxy": true });
    let servers = json!({ "echo": bad(&["hang"]) });
    let auth = json!({ "mode": "local" });
    let hub = Hub::configured(json!({ "servers": servers, "auth": auth, "throttle": throttle, "gateway": gateway }));
    let good = token(&hub, "curl");
    let from = async |address: &str, shown: &str| {
        let mut headers = vec![("x-forwarded-for", address)];
        headers.extend((!shown.is_empty()).then_some(("authorization", shown)));
        post(&hub, "/mcp", &headers, &initialize()).await
    };
    for _ in 0..3 {
        assert_eq!(from("2001:db8::1", "Bearer guess").await.status, 401);
    }
    // Whatever its last bits are, and whatever the client itself wrote before the proxy did.
    for address in ["2001:db8::1", "2001:db8::ffff:2", "192.0.2.9, 2001:db8::3"] {
        let refused = from(address, "Bearer guess").await;
        assert_eq!(refused.status, 429, "{address}");
        let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((60..=120).contains(&seconds), "{seconds}");
        assert!(!refused.headers.contains_key("www-authenticate"));
        assert_eq!(refused.json()["error"]["code"], 429);
        // Nor does it matter what is wrong, or where.
        assert_eq!(from(address, "Basic guess").await.status, 429);
    }
    assert_eq!(from("2001:db8:0:1::1", "Bearer guess").await.status, 401, "another network");
    assert_eq!(from("192.0.2.9", "Bearer guess").await.status, 401, "another address");
    // Its failures alone count: who is known is let in, and who shows nothing is told how to log in.
    for _ in 0..5 {
        assert_eq!(from("2001:db8::1", &good).await.status, 200);
        assert_eq!(from("2001:db8::1", "").await.status, 401);
    }
    let denied = hub.log().matches("login").count();
    assert!(denied < 12, "who fails without end fills the log: {denied} lines\n{}", hub.log());
}
