//! GW-1: servers behind a WebSocket, in both eras, with TLS, and such as break it.

use std::process::Stdio;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::harness::fixture::program;
use crate::harness::hub::command;
use crate::harness::peers::Peers;
use crate::harness::{Client, Era, Hub, until};
use crate::real_servers::everywhere;
use crate::transports_up::{Python, hello, look_at_python, text_answer};

type Socket = WebSocketStream<TcpStream>;

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_python_on_websocket() {
    let Some(peers) = Peers::find() else { return };
    let python = Python::start(&peers, &[]);
    let at = |path: &str| format!("ws://127.0.0.1:{}{path}", python.port);
    let hub = Hub::with(json!({
        "py": { "url": at("/ws"), "headers": { "X-From": "the entry" } },
        "closing": { "url": at("/closing") },
        "nothing": { "url": at("/nothing") },
    }));
    everywhere(&hub, "py", look_at_python).await;
    let client = Client::open(&hub, "/mcp/py", Era::Legacy).await;
    assert_eq!(client.text("handshake", json!({ "name": "x-from" })).await, "the entry");
    assert_eq!(hub.server("py").await["transport"], "websocket");
    for (name, why) in
        [("closing", "with code 4003: not today"), ("nothing", "opens no WebSocket: it answered with HTTP status 403")]
    {
        until("it is told why there is no server", 20, async || {
            let said = hub.server(name).await["error"].to_string();
            if said.contains(why) { Ok(()) } else { Err(said) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_python_on_websocket_and_sse_under_tls() {
    let Some(peers) = Peers::find() else { return };
    let home = tempfile::tempdir().unwrap();
    let python = Python::start(&peers, &["--tls", home.path().to_str().unwrap()]);
    let servers = json!({
        "ws": { "url": format!("wss://127.0.0.1:{}/ws", python.port) },
        "sse": { "url": format!("https://127.0.0.1:{}/sse", python.port) },
    });
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    std::fs::write(home.path().join("omni.yaml"), json!({ "servers": servers }).to_string()).unwrap();
    for (server, trusted) in [("ws", true), ("sse", true), ("ws", false)] {
        let (home, tool) = (&home, format!("{server}:echo"));
        let done = tokio::task::block_in_place(|| call_trusting(home, &tool, trusted));
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!((done.status.success(), said.contains("over TLS")), (trusted, trusted), "{tool}: {done:?}");
    }
}

/// `omni call`, which trusts the test's authority, or the system's alone.
fn call_trusting(home: &TempDir, tool: &str, trusted: bool) -> std::process::Output {
    let mut call = command(home);
    if trusted {
        call.env("SSL_CERT_FILE", home.path().join("ca.pem"));
    }
    let config = home.path().join("omni.yaml");
    call.arg("--config").arg(config).args(["call", tool, "--arg", "text=over TLS"]).output().unwrap()
}

/// A server behind a WebSocket, each connection served by `serve`.
async fn server<F>(serve: impl Fn(Socket) -> F + Clone + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serve = serve.clone();
            tokio::spawn(async move {
                if let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, agree).await {
                    serve(socket).await;
                }
            });
        }
    });
    format!("ws://{address}/mcp")
}

#[expect(clippy::result_large_err, clippy::unnecessary_wraps, reason = "the library wants it so")]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    assert_eq!(request.headers()["sec-websocket-protocol"], "mcp");
    response.headers_mut().insert("sec-websocket-protocol", "mcp".parse().unwrap());
    Ok(response)
}

/// Each connection is a process of the conforming server on stdio.
pub(crate) async fn conforming(era: &'static str) -> String {
    server(async move |socket| {
        let mut child = tokio::process::Command::new(program())
            .args(["everything", "--stdio", "--era", era])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (mut writer, mut reader) = socket.split();
        let down = async {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                writer.send(Message::text(line)).await.unwrap();
            }
        };
        let up = async {
            while let Some(Ok(message)) = reader.next().await {
                if let Message::Text(text) = message {
                    stdin.write_all(format!("{text}\n").as_bytes()).await.unwrap();
                }
            }
        };
        tokio::select! {
            () = down => {}
            () = up => {}
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_websocket_carries_either_era_for_clients_of_both() {
    let (old, new, both) = (conforming("legacy").await, conforming("modern").await, conforming("both").await);
    let hub = Hub::with(json!({ "old": { "url": old }, "new": { "url": new }, "both": { "url": both } }));
    for name in ["old", "new", "both"] {
        everywhere(&hub, name, async |client, prefix| {
            let text = client.text(&format!("{prefix}test_simple_text"), json!({})).await;
            assert_eq!(text, "This is a simple text response for testing.");
            let params = json!({ "name": format!("{prefix}test_tool_with_progress"), "arguments": {}, "_meta": { "progressToken": "mine" } });
            let mut events = client.listen("tools/call", params).await;
            assert_eq!(events.message().await["params"]["progressToken"], "mine");
        })
        .await;
        assert_eq!(hub.server(name).await["transport"], "websocket");
    }
    assert_eq!(hub.server("old").await["revisions"], json!(["2025-11-25"]));
    assert_eq!(hub.server("new").await["revisions"], json!(["2026-07-28"]));
}

/// A server of one tool, whose argument `how` says what goes wrong.
async fn breaking() -> String {
    server(async |mut socket: Socket| {
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["id"].is_null() {
                continue;
            }
            let reply = match hello(&message) {
                Some(hello) => Message::text(hello.to_string()),
                None => match answer(&mut socket, &message).await {
                    Some(reply) => reply,
                    None => return,
                },
            };
            if socket.send(reply).await.is_err() {
                return;
            }
        }
    })
    .await
}

async fn answer(socket: &mut Socket, message: &Value) -> Option<Message> {
    let fine = text_answer(&message["id"], "fine");
    match message["params"]["arguments"]["how"].as_str() {
        Some("too long") => return Some(Message::text("x".repeat(17 << 20))),
        Some("many frames") => {
            let piece = vec![b'x'; 1 << 20];
            for number in 0..64 {
                let opcode = OpCode::Data(if number == 0 { Data::Text } else { Data::Continue });
                let header = FrameHeader { is_final: false, opcode, ..FrameHeader::default() };
                let frame = Frame::from_payload(header, piece.clone().into());
                if socket.send(Message::Frame(frame)).await.is_err() {
                    return None;
                }
            }
        }
        Some("close") => {
            let reason = Utf8Bytes::from_static("no more\u{1b}[31m");
            let frame = CloseFrame { code: CloseCode::Error, reason };
            let _gone = socket.send(Message::Close(Some(frame))).await;
            let _their_end = socket.next().await;
            return None;
        }
        Some("vanish") => return None,
        Some("million") => return Some(Message::text(format!("[{}{fine}]", "0,".repeat(1_000_000)))),
        Some("batch") => {
            let foreign = text_answer(&json!(777_777), "foreign");
            return Some(Message::text(json!([foreign, 5, fine]).to_string()));
        }
        Some("binary") => return Some(Message::binary(fine.to_string())),
        Some("ping") => {
            socket.send(Message::Ping("are you there".into())).await.unwrap();
            // The pong comes before anything else the hub says.
            let pong = socket.next().await.unwrap().unwrap();
            assert_eq!(pong, Message::Pong("are you there".into()));
        }
        Some("garbage") => socket.send(Message::text("{\"jsonrpc\":")).await.unwrap(),
        _ => {}
    }
    Some(Message::text(fine.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_websocket_that_breaks_costs_its_own_calls_and_comes_back() {
    let hub = Hub::with(json!({ "s": { "url": breaking().await } }));
    let client = Client::open(&hub, "/mcp/s", Era::Modern).await;
    for how in ["", "batch", "binary", "ping", "garbage"] {
        assert_eq!(client.text("t", json!({ "how": how })).await, "fine", "{how}");
    }
    for (how, why) in [
        ("too long", "Message too long"),
        ("many frames", "Message too long"),
        ("close", "it closed the WebSocket with code 1011: no more[31m"),
        ("vanish", "its connection ended"),
        ("million", "a batch of more than 1000 messages"),
    ] {
        let error = client.error("tools/call", json!({ "name": "t", "arguments": { "how": how } })).await;
        assert!(error["message"].as_str().unwrap().contains(why), "{how}: {error}");
        until("it serves again", 40, async || {
            let response = client.response("tools/call", json!({ "name": "t", "arguments": {} })).await;
            if response["result"]["content"][0]["text"] == "fine" { Ok(()) } else { Err(response.to_string()) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_handshake_without_an_answer_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let hub = Hub::with(json!({ "s": { "url": url, "pool": { "connect_timeout_s": 1 } } }));
    let client = Client::open(&hub, "/mcp/s", Era::Modern).await;
    let error = client.error("tools/call", json!({ "name": "t", "arguments": {} })).await;
    assert!(error["message"].as_str().unwrap().contains("within 1 s"), "{error}");
    drop(listener);
}

/// What changed while a connection was gone is heard without a call of anybody's.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_connection_that_ended_is_made_again_and_the_lists_read() {
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&connections);
    let url = server(move |mut socket: Socket| {
        let connections = std::sync::Arc::clone(&connections);
        async move {
            let number = connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            while let Some(Ok(message)) = socket.next().await {
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["id"].is_null() {
                    continue;
                }
                let mut answer = hello(&message).unwrap_or_default();
                let is_list = message["method"] == "tools/list";
                if is_list {
                    answer["result"]["tools"][0]["name"] = json!(format!("of_{number}"));
                }
                socket.send(Message::text(answer.to_string())).await.unwrap();
                if is_list && number == 0 {
                    return;
                }
            }
        }
    })
    .await;
    let hub = Hub::with(json!({ "s": { "url": url } }));
    hub.awake().await;
    until("it is connected again", 30, async || {
        let made = counted.load(std::sync::atomic::Ordering::Relaxed);
        if made > 1 { Ok(()) } else { Err(made.to_string()) }
    })
    .await;
    let client = Client::open(&hub, "/mcp/s", Era::Modern).await;
    until("the new list is there", 30, async || {
        let tools = client.tools().await;
        if tools == ["of_1"] { Ok(()) } else { Err(format!("{tools:?}")) }
    })
    .await;
}
