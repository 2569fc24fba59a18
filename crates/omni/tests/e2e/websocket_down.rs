//! GW-1: WebSocket towards clients: any era on one channel, and what is refused, bounded and given up.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::harness::client::modern_meta;
use crate::harness::puppet::Puppet;
use crate::harness::{Hub, bad, everything, in_time, until};

fn hub() -> Hub {
    Hub::with(json!({ "echo": bad(&["hang"]), "s": everything(&[]) }))
}

fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// A client of WebSocket, by hand.
pub(crate) struct Ws(WebSocketStream<TcpStream>);

impl Ws {
    async fn open(hub: &Hub, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("ws://{}{path}", hub.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "mcp".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(hub.address).await.unwrap();
        let (socket, answer) = in_time("the upgrade", tokio_tungstenite::client_async(request, stream)).await?;
        assert_eq!(answer.headers()["sec-websocket-protocol"], "mcp");
        Ok(Self(socket))
    }

    pub(crate) async fn begin(hub: &Hub, path: &str, version: &str) -> Self {
        let mut client = Self::open(hub, path, &[]).await.unwrap();
        let hello =
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "e", "version": "1" } });
        let answer = client.ask(&request(0, "initialize", &hello)).await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        client
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message that is no ping or pong.
    async fn next(&mut self) -> Result<Message, Error> {
        loop {
            let message = in_time("a message", self.0.next()).await.unwrap_or(Err(Error::ConnectionClosed))?;
            if !matches!(message, Message::Ping(_) | Message::Pong(_)) {
                return Ok(message);
            }
        }
    }

    /// The next answer.
    async fn answer(&mut self) -> Value {
        loop {
            let message: Value = serde_json::from_str(self.next().await.unwrap().to_text().unwrap()).unwrap();
            if message.get("method").is_none() {
                return message;
            }
        }
    }

    async fn ask(&mut self, text: &str) -> Value {
        self.say(text).await;
        self.answer().await
    }

    /// Why the hub closes.
    pub(crate) async fn closed(&mut self) -> CloseCode {
        loop {
            match self.next().await {
                Ok(Message::Close(Some(frame))) => return frame.code,
                Ok(_) => {}
                Err(error) => panic!("closed without a word: {error}"),
            }
        }
    }
}

async fn sessions(hub: &Hub, wanted: u64) {
    until("the sessions", 20, async || match hub.ready().await["sessions"].as_u64() {
        Some(count) if count == wanted => Ok(()),
        other => Err(format!("{other:?} sessions instead of {wanted}")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_websocket_in_every_revision_at_each_endpoint() {
    let hub = hub();
    hub.awake().await;
    for (path, tool) in [("/mcp", "echo__echo"), ("/mcp/echo", "echo")] {
        let call = |id, text: &str| request(id, "tools/call", &json!({ "name": tool, "arguments": { "text": text } }));
        for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
            let mut client = Ws::begin(&hub, path, version).await;
            sessions(&hub, 1).await;
            assert_eq!(client.ask(&call(1, "x")).await["result"]["content"][0]["text"], "x", "{version}");
            let batch = client.ask(&format!("[{}]", call(2, "y"))).await;
            if version == "2025-03-26" {
                assert_eq!(batch[0]["result"]["content"][0]["text"], "y", "{batch}");
            } else {
                assert_eq!(batch["error"]["code"], -32600, "{batch}");
            }
            client.0.close(None).await.unwrap();
            sessions(&hub, 0).await;
        }
        let mut modern = Ws::open(&hub, path, &[]).await.unwrap();
        let params = json!({ "name": tool, "arguments": { "text": "z" }, "_meta": modern_meta() });
        let answer = modern.ask(&request(3, "tools/call", &params)).await;
        assert_eq!(answer["result"]["content"][0]["text"], "z", "{answer}");
        sessions(&hub, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_websocket_upgrades_are_refused_in_clear_words() {
    let hub = hub();
    let local = format!("http://localhost:{}", hub.address.port());
    for (path, headers, status) in [
        ("/mcp", [("origin", "http://evil.example")], 403),
        ("/mcp", [("origin", "null")], 403),
        ("/mcp", [("host", "evil.example")], 403),
        ("/mcp", [("sec-websocket-protocol", "chat, mcpx")], 400),
        ("/mcp", [("sec-websocket-version", "8")], 426),
        ("/mcp", [("sec-websocket-key", "short")], 400),
        ("/mcp", [("connection", "close")], 400),
        ("/mcp/nothing", [("origin", local.as_str())], 404),
        ("/elsewhere", [("origin", local.as_str())], 404),
    ] {
        match Ws::open(&hub, path, &headers).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), status, "{path} {headers:?}"),
            Err(error) => panic!("{path} {headers:?}: {error}"),
            Ok(_) => panic!("{path} {headers:?}: let in"),
        }
    }
    Ws::open(&hub, "/mcp", &[("origin", &local)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn val_1_websocket_messages_are_bounded_and_text() {
    let gateway = json!({ "body_bytes_max": 65_536, "header_timeout_s": 2 });
    let hub = Hub::configured(json!({ "servers": { "echo": bad(&["hang"]) }, "gateway": gateway }));
    let mut large = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    large.say(&request(1, "ping", &json!({ "x": "x".repeat(65_536) }))).await;
    assert_eq!(large.closed().await, CloseCode::Size);
    let mut parts = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    // In many frames it is not smaller.
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let mut code = OpCode::Data(Data::Text);
    for _ in 0..70 {
        if parts.0.send(Message::Frame(Frame::message(vec![b' '; 1024], code, false))).await.is_err() {
            break;
        }
        code = OpCode::Data(Data::Continue);
    }
    assert_eq!(parts.closed().await, CloseCode::Size);
    let mut binary = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    binary.0.send(Message::binary(b"{}".to_vec())).await.unwrap();
    assert_eq!(binary.closed().await, CloseCode::Unsupported);
    let mut silent = Ws::open(&hub, "/mcp", &[]).await.unwrap();
    assert_eq!(silent.closed().await, CloseCode::Policy);
    let mut good = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    assert_eq!(good.ask("{ no JSON").await["error"]["code"], -32700);
    assert_eq!(good.ask(&request(1, "ping", &json!({}))).await["id"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_large_answer_passes_and_a_client_that_reads_nothing_holds_up_no_other() {
    const BYTES: usize = 8 * 1024 * 1024;
    let hub = Hub::with(json!({ "big": bad(&["big-result", &BYTES.to_string()]), "echo": bad(&["hang"]) }));
    let call = |id, name: &str| request(id, "tools/call", &json!({ "name": name, "arguments": { "text": "x" } }));
    let mut reads_nothing = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    for id in 1..=4 {
        reads_nothing.say(&call(id, "big__misbehave")).await;
    }
    let mut client = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    assert_eq!(client.ask(&call(1, "echo__echo")).await["result"]["content"][0]["text"], "x");
    let answer = client.ask(&call(2, "big__misbehave")).await;
    assert_eq!(answer["result"]["content"][0]["text"].as_str().unwrap().len(), BYTES);
    // It gets all of them when it reads at last.
    for _ in 0..4 {
        assert!(reads_nothing.answer().await["id"].as_u64().unwrap() <= 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_a_websocket_that_breaks_cancels_its_calls() {
    let mut puppet = Puppet::start().await;
    let hub = Hub::with(json!({ "p": puppet.entry() }));
    hub.awake().await;
    let mut client = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    client.say(&request(1, "tools/call", &json!({ "name": "p__wait", "arguments": {} }))).await;
    let call = puppet.call().await;
    drop(client);
    call.until_cancelled().await;
    sessions(&hub, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_stopping_hub_answers_what_runs_and_closes_in_good_order() {
    let mut puppet = Puppet::start().await;
    let mut hub = Hub::with(json!({ "p": puppet.entry() }));
    hub.awake().await;
    let mut idle = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    let mut busy = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    busy.say(&request(1, "tools/call", &json!({ "name": "p__wait", "arguments": {} }))).await;
    let call = puppet.call().await;
    hub.terminate();
    assert_eq!(idle.closed().await, CloseCode::Away);
    call.answer("done");
    assert_eq!(busy.answer().await["result"]["content"][0]["text"], "done");
    assert_eq!(busy.closed().await, CloseCode::Away);
    hub.stopped();
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_websocket_is_a_connection_like_any_other() {
    let gateway = json!({ "connections_max": 2 });
    let hub = Hub::configured(json!({ "servers": { "echo": bad(&["hang"]) }, "gateway": gateway }));
    let one = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    let _two = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    let third = tokio::time::timeout(Duration::from_millis(700), Ws::open(&hub, "/mcp", &[])).await;
    assert!(third.is_err(), "a third connection was served");
    drop(one);
    Ws::begin(&hub, "/mcp", "2025-11-25").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_goodbye_is_answered_in_kind() {
    let hub = hub();
    let leave = CloseFrame { code: CloseCode::Normal, reason: "enough".into() };
    // With nothing running; and right behind a request, whose answer may still wait to be said.
    for last in [None, Some(r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#)] {
        let mut client = Ws::begin(&hub, "/mcp", "2025-11-25").await;
        if let Some(last) = last {
            client.0.feed(Message::text(last)).await.unwrap();
        }
        client.0.send(Message::Close(Some(leave.clone()))).await.unwrap();
        assert_eq!(client.closed().await, CloseCode::Normal);
        sessions(&hub, 0).await;
    }
}
