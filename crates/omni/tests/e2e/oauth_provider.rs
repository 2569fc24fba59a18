//! AUTH-2, AUTH-3, SMET-1: a real OpenID provider before the hub, and real clients that log in at it.

use std::path::Path;
use std::process::Stdio;

use http::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::http::{Answer, request, send};
use crate::harness::oidc::OidcProvider;
use crate::harness::peers::Peers;
use crate::harness::{Hub, everything, in_time, until};

/// A hub that takes the tokens of `provider`, with `more` said of it; people and programs are told apart.
fn hub(provider: &OidcProvider, more: &Value) -> Hub {
    let mut entry = json!({ "issuer": provider.issuer, "keys_floor_s": 1 });
    for (name, value) in more.as_object().unwrap() {
        entry[name] = value.clone();
    }
    let auth = json!({ "mode": "oauth", "scopes": ["mcp:use"], "clock_skew_s": 30, "providers": [entry] });
    let policy = json!({ "roles": { "admin": { "members": ["group:people", "group:programs"] } } });
    Hub::configured(json!({ "servers": { "s": everything(&[]) }, "auth": auth, "policy": policy }))
}

fn resource(hub: &Hub) -> String {
    format!("http://{}/mcp", hub.address)
}

async fn shows(hub: &Hub, token: &str) -> Answer {
    let info = json!({ "name": "t", "version": "0" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let bearer = format!("Bearer {token}");
    let both = "application/json, text/event-stream";
    let headers = [("content-type", "application/json"), ("accept", both), ("authorization", bearer.as_str())];
    send(hub.address, request(Method::POST, hub.address, "/mcp", &headers, body.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_2_a_real_providers_tokens_of_each_algorithm_let_in() {
    let Some(peers) = Peers::find() else { return };
    let mut provider = OidcProvider::start(&peers);
    let hub = hub(&provider, &json!({}));
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        provider.set(json!({ "sign": algorithm }));
        let token = provider.token(&resource(&hub)).await;
        assert_eq!(header(&token)["alg"], algorithm);
        let answer = shows(&hub, &token).await;
        assert_eq!(answer.status, 200, "{algorithm}: {:?}", answer.body);
        // The last bit changed, and for another resource.
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{rest}.{first}{}", &signature[1..]);
        assert_eq!(shows(&hub, &forged).await.status, 401, "{algorithm}");
        let elsewhere = provider.token("http://127.0.0.1:9/mcp").await;
        assert_eq!(shows(&hub, &elsewhere).await.status, 401, "{algorithm}");
    }
}

/// The header of a token.
fn header(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_3_a_real_provider_changes_its_keys_and_goes_away() {
    let Some(peers) = Peers::find() else { return };
    let mut provider = OidcProvider::start(&peers);
    let hub = hub(&provider, &json!({}));
    let before = provider.token(&resource(&hub)).await;
    let unseen = provider.token(&resource(&hub)).await;
    assert_eq!(shows(&hub, &before).await.status, 200);
    provider.set(json!({ "rotate": true }));
    let after = provider.token(&resource(&hub)).await;
    assert_ne!(header(&before)["kid"], header(&after)["kid"]);
    until("the new key is taken", 20, async || match shows(&hub, &after).await.status {
        200 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert_eq!(shows(&hub, &unseen).await.status, 401, "a key that its provider has withdrawn signs nothing any more");
    let unseen = provider.token(&resource(&hub)).await;
    provider.stop();
    assert_eq!(shows(&hub, &unseen).await.status, 200, "the keys that are there serve on");
    assert_eq!(shows(&hub, &after).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_2_a_providers_clock_may_be_a_little_wrong() {
    let Some(peers) = Peers::find() else { return };
    let mut provider = OidcProvider::start(&peers);
    let hub = hub(&provider, &json!({}));
    // The bound is 30 seconds, and the machine may be slow.
    for (skew, status) in [(15, 200), (-15, 200), (600, 401), (-600, 401)] {
        provider.set(json!({ "skew": skew }));
        let token = provider.token(&resource(&hub)).await;
        let answer = shows(&hub, &token).await;
        assert_eq!(answer.status, status, "{skew} s: {:?}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_2_a_real_providers_opaque_tokens_are_looked_up_and_end_where_it_revokes_them() {
    let Some(peers) = Peers::find() else { return };
    let mut provider = OidcProvider::start(&peers);
    provider.set(json!({ "opaque": true }));
    let introspection = json!({ "client_id": "hub", "client_secret": "hub-secret", "keep_s": 0 });
    // Of a program's opaque token this provider tells no `sub`.
    let hub = hub(&provider, &json!({ "introspection": introspection, "claims": { "id": "client_id" } }));
    let token = provider.token(&resource(&hub)).await;
    assert!(!token.contains('.'), "{token}");
    let answer = shows(&hub, &token).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(shows(&hub, &provider.token("http://127.0.0.1:9/mcp").await).await.status, 401);
    let revoked = provider.form("/token/revocation", "program", &[("token", &token)]).await;
    assert_eq!(revoked.status, 200, "{:?}", revoked.body);
    until("the token ends", 20, async || match shows(&hub, &token).await.status {
        401 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
}

/// Runs a client at home in `home`; what it says.
async fn run(home: &Path, program: &Path, words: &[&str]) -> String {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home).current_dir(home);
    command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    command.env("DISABLE_TELEMETRY", "1").env("DISABLE_AUTOUPDATER", "1");
    // Whatever it might want of the world, it asks a port for that nobody listens on.
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(proxy, "http://127.0.0.1:9");
    }
    command.env("NO_PROXY", "127.0.0.1");
    command.args(words).stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let what = format!("{} {}", program.display(), words.join(" "));
    let output = in_time(&what, command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn smet_1_the_python_sdks_oauth_client_logs_in_by_authorization_code() {
    let Some(peers) = Peers::find() else { return };
    let provider = OidcProvider::start(&peers);
    let hub = hub(&provider, &json!({}));
    hub.awake().await;
    let script = peers.client("python_oauth.py");
    let said = run(hub.home.path(), &peers.python, &[script.to_str().unwrap(), &resource(&hub), "ann"]).await;
    let said: Value = serde_json::from_str(said.trim()).unwrap();
    assert!(said["tools"].as_array().unwrap().contains(&json!("s__test_simple_text")), "{said}");
    assert!(said["scope"].as_str().unwrap().contains("mcp:use"), "it asked for what it was told to: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn smet_1_claude_code_logs_in_by_authorization_code() {
    let Some(peers) = Peers::find() else { return };
    let provider = OidcProvider::start(&peers);
    let hub = hub(&provider, &json!({}));
    hub.awake().await;
    let home = hub.home.path().join("claude");
    std::fs::create_dir(&home).unwrap();
    let claude = peers.claude();
    run(&home, &claude, &["mcp", "add", "--transport", "http", "hub", &resource(&hub)]).await;
    let list = run(&home, &claude, &["mcp", "list"]).await;
    assert!(list.contains("Needs authentication"), "{list}");
    let script = peers.client("claude_login.py");
    let words = [script.to_str().unwrap(), "ann", claude.to_str().unwrap(), "hub"];
    let said = run(&home, &peers.python, &words).await;
    let list = run(&home, &claude, &["mcp", "list"]).await;
    assert!(list.lines().any(|line| line.starts_with("hub: ") && line.ends_with("Connected")), "{list}\n{said}");
}
