//! GW-1: the older and the other ways in: HTTP+SSE of 2024-11-05, batches of 2025-03-26, WebSocket.

use ::http::Method;
use serde_json::{Value, json};

use crate::harness::http::{self, Answer, Events};
use crate::harness::{Client, Era, Hub, bad, everything, until};

const HELLO: &str =
    r#"{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"omni-e2e","version":"1"}}"#;

fn hub() -> Hub {
    Hub::with(json!({ "echo": bad(&["hang"]), "s": everything(&[]) }))
}

pub(crate) fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

fn echo(id: u64, tool: &str, text: &str) -> String {
    request(id, "tools/call", &json!({ "name": tool, "arguments": { "text": text } }))
}

/// A client of HTTP+SSE, by hand.
pub(crate) struct Sse {
    hub: std::net::SocketAddr,
    events: Events,
    pub(crate) uri: String,
}

impl Sse {
    pub(crate) async fn open(hub: &Hub, path: &str) -> Self {
        let headers = [("accept", "text/event-stream")];
        let answer = http::begin(hub.address, http::request(Method::GET, hub.address, path, &headers, "")).await;
        let mut events = Events::of(answer);
        let (kind, uri) = events.typed().await.expect("the first event");
        assert_eq!(kind.as_deref(), Some("endpoint"));
        Self { hub: hub.address, events, uri }
    }

    pub(crate) async fn post_to(&self, uri: &str, body: &str) -> Answer {
        let headers = [("content-type", "application/json")];
        http::send(self.hub, http::request(Method::POST, self.hub, uri, &headers, body.to_owned())).await
    }

    pub(crate) async fn post(&self, body: &str) {
        let answer = self.post_to(&self.uri, body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// The next answer; all of them come as events of this type.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            let (kind, data) = self.events.typed().await.expect("the stream ended");
            assert_eq!(kind.as_deref(), Some("message"));
            let message: Value = serde_json::from_str(&data).unwrap();
            // Servers that wake add to the lists.
            if message.get("method").is_none() {
                return message;
            }
        }
    }

    /// Waits until the hub ends the stream.
    pub(crate) async fn ended(&mut self) {
        while self.events.event().await.is_some() {}
    }

    pub(crate) async fn initialize(&mut self) {
        self.post(&request(0, "initialize", &serde_json::from_str(HELLO).unwrap())).await;
        assert_eq!(self.message().await["result"]["protocolVersion"], "2024-11-05");
        self.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    }
}

pub(crate) async fn sessions(hub: &Hub, wanted: u64) {
    until("the sessions", 20, async || match hub.ready().await["sessions"].as_u64() {
        Some(count) if count == wanted => Ok(()),
        other => Err(format!("{other:?} sessions instead of {wanted}")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http_sse_answers_on_its_stream_alone_and_ends_with_it() {
    let hub = hub();
    for (path, tool) in [("/sse", "echo__echo"), ("/sse/echo", "echo"), ("/sse/", "echo__echo")] {
        let mut client = Sse::open(&hub, path).await;
        assert!(client.uri.starts_with(path.trim_end_matches('/')), "{}", client.uri);
        assert!(client.uri.split_once("sessionId=").unwrap().1.len() >= 32, "{}", client.uri);
        client.initialize().await;
        sessions(&hub, 1).await;
        // Calls run side by side: the first never ends.
        client.post(&echo(1, &format!("{}misbehave", tool.strip_suffix("echo").unwrap()), "x")).await;
        client.post(&echo(2, tool, "two")).await;
        let answer = client.message().await;
        assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(2), &json!("two")));
        // What is no message is told on the stream, too.
        client.post("{ no JSON").await;
        assert_eq!(client.message().await["error"]["code"], -32700);
        let uri = client.uri.clone();
        drop(client);
        sessions(&hub, 0).await;
        let late = Sse::open(&hub, path).await;
        assert_eq!(late.post_to(&uri, &echo(3, tool, "late")).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http_sse_sessions_cannot_be_guessed_or_used_elsewhere() {
    let hub = hub();
    let client = Sse::open(&hub, "/sse/echo").await;
    let secret = client.uri.split_once("sessionId=").unwrap().1.to_owned();
    let ping = request(1, "ping", &json!({}));
    let guessed = format!("/sse/echo?sessionId={}", "0".repeat(secret.len()));
    for (uri, status) in [
        (guessed.as_str(), 404),
        (&format!("/sse?sessionId={secret}"), 404),
        (&format!("/sse/s?sessionId={secret}"), 404),
        ("/sse/nothing?sessionId=0", 404),
        ("/sse", 405),
        (&client.uri, 202),
    ] {
        assert_eq!(client.post_to(uri, &ping).await.status, status, "{uri}");
    }
    // It is no session of Streamable HTTP, nor the other way about.
    let headers = [("accept", "text/event-stream"), ("mcp-session-id", secret.as_str())];
    assert_eq!(http::get(hub.address, "/mcp/echo", &headers).await.status, 404);
    let streamable = Client::open(&hub, "/mcp/echo", Era::Legacy).await;
    let uri = format!("/sse/echo?sessionId={}", streamable.session.as_deref().unwrap());
    assert_eq!(client.post_to(&uri, &ping).await.status, 404);
    // A page of elsewhere gets no session.
    let headers = [("accept", "text/event-stream"), ("origin", "http://evil.example")];
    assert_eq!(http::get(hub.address, "/sse", &headers).await.status, 403);
    assert_eq!(http::get(hub.address, "/sse", &[("accept", "application/json")]).await.status, 406);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http_sse_without_a_first_message_is_not_kept() {
    let servers = json!({ "echo": bad(&["hang"]) });
    let hub = Hub::configured(json!({ "servers": servers, "gateway": { "header_timeout_s": 1 } }));
    let mut silent = Sse::open(&hub, "/sse").await;
    let mut speaking = Sse::open(&hub, "/sse").await;
    speaking.initialize().await;
    assert_eq!(silent.events.next().await, None);
    assert_eq!(silent.post_to(&silent.uri, &request(1, "ping", &json!({}))).await.status, 404);
    speaking.post(&request(1, "ping", &json!({}))).await;
    assert_eq!(speaking.message().await["id"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_batches_on_a_channel_in_2025_03_26_alone() {
    let hub = hub();
    hub.awake().await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = Sse::open(&hub, "/sse").await;
        let early = format!("[{}]", request(1, "ping", &json!({})));
        client.post(&early).await;
        assert!(client.message().await["error"]["message"].as_str().unwrap().contains("batch"));
        client.post(&request(0, "initialize", &json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "e", "version": "1" } }))).await;
        assert_eq!(client.message().await["result"]["protocolVersion"], version);
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let nonsense = r#"{"jsonrpc":"2.0","id":9,"metod":"ping"}"#;
        let members = [
            initialized,
            &echo(1, "echo__echo", "one"),
            nonsense,
            &request(2, "ping", &json!({})),
            &echo(3, "no__tool", "x"),
        ];
        client.post(&format!("[{}]", members.join(","))).await;
        let answer = client.message().await;
        if version != "2025-03-26" {
            assert_eq!(answer["error"]["code"], -32600, "{answer}");
            assert!(answer["error"]["message"].as_str().unwrap().contains(version), "{answer}");
            continue;
        }
        let find = |id: u64| answer.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
        assert_eq!(answer.as_array().unwrap().len(), 4, "{answer}");
        assert_eq!(find(1)["result"]["content"][0]["text"], "one");
        assert_eq!(find(2)["result"], json!({}));
        assert_eq!((&find(3)["error"]["code"], &find(9)["error"]["code"]), (&json!(-32602), &json!(-32600)));
        // Nothing but notifications asks for no answer.
        client.post(&format!("[{initialized},{initialized}]")).await;
        client.post(&format!("[{}]", request(4, "initialize", &json!({})))).await;
        assert_eq!(client.message().await[0]["error"]["code"], -32600);
        client.post("[]").await;
        assert_eq!(client.message().await["error"]["code"], -32600);
    }
}

/// A session of `version` over Streamable HTTP; its id.
async fn session_of(hub: &Hub, version: &str) -> String {
    let hello =
        json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "e", "version": "1" } });
    let answer = post(hub, None, &request(0, "initialize", &hello)).await;
    assert_eq!(answer.json()["result"]["protocolVersion"], version);
    answer.headers["mcp-session-id"].to_str().unwrap().to_owned()
}

async fn post(hub: &Hub, session: Option<&str>, body: &str) -> Answer {
    let mut headers = vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    headers.extend(session.map(|session| ("mcp-session-id", session)));
    http::send(hub.address, http::request(Method::POST, hub.address, "/mcp", &headers, body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_batches_over_http_in_2025_03_26_alone() {
    let hub = hub();
    hub.awake().await;
    let batch = format!("[{}, {}]", echo(1, "echo__echo", "one"), request(2, "ping", &json!({})));
    for version in ["2025-06-18", "2025-11-25"] {
        let session = session_of(&hub, version).await;
        let refused = post(&hub, Some(&session), &batch).await;
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32600)));
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains(version), "{refused:?}");
    }
    assert_eq!(post(&hub, None, &batch).await.status, 400);
    let session = session_of(&hub, "2025-03-26").await;
    let answer = post(&hub, Some(&session), &batch).await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "application/json"));
    let answers = answer.json();
    let find = |id: u64| answers.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 2);
    assert_eq!((&find(1)["result"]["content"][0]["text"], &find(2)["result"]), (&json!("one"), &json!({})));
    // Nothing but notifications.
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let taken = post(&hub, Some(&session), &format!("[{initialized}]")).await;
    assert_eq!((taken.status, taken.body.len()), (202, 0));
    for (bad, status) in [("[]", 400), ("[{]", 400), ("[1,", 400)] {
        assert_eq!(post(&hub, Some(&session), bad).await.status, status, "{bad}");
    }
    let many = format!("[{}]", vec![request(1, "ping", &json!({})); 65].join(","));
    assert_eq!(post(&hub, Some(&session), &many).await.status, 400);
    // What comes before an answer makes it a stream; every answer is in it, once.
    let params = json!({ "name": "s__test_tool_with_progress", "arguments": {}, "_meta": { "progressToken": 5 } });
    let batch = format!("[{},{}]", request(1, "tools/call", &params), request(2, "ping", &json!({})));
    let streamed = post(&hub, Some(&session), &batch).await;
    assert_eq!(streamed.headers["content-type"], "text/event-stream");
    let messages: Vec<Value> = streamed.messages().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let mut ids: Vec<u64> = messages.iter().filter_map(|one| one["id"].as_u64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2], "{messages:?}");
    assert_eq!(messages.iter().filter(|one| one["method"] == "notifications/progress").count(), 3, "{messages:?}");
}
