//! The HTTP listener: what it refuses and with which words, its deadlines, both versions of HTTP, and how it stops.

use std::process::Stdio;
use std::time::{Duration, Instant};

use ::http::Method;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::client::modern_meta;
use crate::harness::hub::command;
use crate::harness::{Client, Era, Hub, bad, everything, http, in_time, until};

/// For a deadline of one second to be kept.
const CUT_LIMIT: Duration = Duration::from_secs(8);
/// For a client of HTTP/2 that gives no sign of life: it is asked for one after 20 s.
const PING_LIMIT: Duration = Duration::from_secs(40);

fn hub() -> Hub {
    Hub::with(json!({ "echo": bad(&["hang"]) }))
}

fn call(tool: &str) -> Value {
    json!({ "name": tool, "arguments": { "text": "x" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_foreign_hosts_and_pages_are_refused() {
    let hub = hub();
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let (body, headers) = client.message("tools/list", json!({}));
    let mirrored: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let port = hub.address.port();
    for (name, value, status) in [
        ("host", "evil.example".to_owned(), 403),
        ("host", format!("127.0.0.1.evil.example:{port}"), 403),
        ("host", format!("localhost:{port}"), 200),
        ("origin", "http://evil.example".to_owned(), 403),
        ("origin", "null".to_owned(), 403),
        ("origin", "http://localhost:3000".to_owned(), 200),
    ] {
        let headers = [&mirrored[..], &[(name, value.as_str())]].concat();
        let answer = client.post(&body, &headers).await;
        assert_eq!(answer.status, status, "{name}: {value}: {:?}", answer.body);
        let health = http::get(hub.address, "/readyz", &[(name, value.as_str())]).await;
        assert_eq!(health.status, status, "/readyz with {name}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_sessions_are_asked_for_and_end() {
    let hub = hub();
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    let accept = ("accept", "text/event-stream");
    let get = async |headers: &[(&str, &str)]| http::get(hub.address, "/mcp", headers).await.status;
    assert_eq!(get(&[accept]).await, 400);
    assert_eq!(get(&[accept, ("mcp-session-id", "nobody")]).await, 404);
    assert_eq!(get(&[accept, ("mcp-protocol-version", "2026-07-28")]).await, 405);
    assert_eq!(get(&[("mcp-session-id", client.session.as_deref().unwrap())]).await, 406);
    let (body, _) = client.message("tools/list", json!({}));
    assert_eq!(client.post(&body, &[("mcp-session-id", "nobody")]).await.status, 404);
    // A session belongs to its endpoint.
    let mut elsewhere = Client::open(&hub, "/mcp/echo", Era::Legacy).await;
    let own = std::mem::replace(&mut elsewhere.session, client.session.clone());
    assert_eq!(elsewhere.post(&body, &[]).await.status, 404);
    elsewhere.session = own;
    assert_eq!(elsewhere.tools().await.len(), 2);
    assert_eq!(client.tools().await.len(), 2);
    assert_eq!(client.delete().await, 200);
    assert_eq!(client.post(&body, &[]).await.status, 404);
    assert_eq!(client.delete().await, 404);
    // Without a session only `initialize` is answered.
    let mut nobody = Client::open(&hub, "/mcp", Era::Legacy).await;
    nobody.session = None;
    assert_eq!(nobody.post(&body, &[]).await.status, 400);
    assert_eq!(http::get(hub.address, "/mcp/nothing", &[accept]).await.status, 404);
    assert_eq!(http::get(hub.address, "/elsewhere", &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn val_1_bodies_of_the_wrong_kind_or_size_are_refused() {
    let servers = json!({ "echo": bad(&["hang"]) });
    let hub = Hub::configured(json!({ "servers": servers, "gateway": { "body_bytes_max": 16_384 } }));
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    let (body, _) = client.message("tools/list", json!({}));
    assert_eq!(client.post(&body, &[("content-type", "text/plain")]).await.status, 415);
    assert_eq!(client.post(&body, &[("accept", "application/json")]).await.status, 406);
    assert_eq!(client.post(&body, &[("content-type", "application/json; charset=utf-8")]).await.status, 200);
    let (large, _) =
        client.message("tools/call", json!({ "name": "echo__echo", "arguments": { "text": "x".repeat(20_000) } }));
    let answer = client.post(&large, &[]).await;
    assert_eq!(answer.status, 413);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("16384"), "{:?}", answer.body);
    // A body that does not tell its size beforehand is counted as it comes.
    let mut stream = TcpStream::connect(hub.address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nmcp-session-id: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        client.session.as_deref().unwrap()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..3 {
        let chunk = "x".repeat(8_000);
        stream.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await.unwrap();
    }
    let mut first = [0; 12];
    in_time("the refusal", stream.read_exact(&mut first)).await.unwrap();
    assert_eq!(std::str::from_utf8(&first).unwrap(), "HTTP/1.1 413");
    let (status, code) = refusal(&client, "{ no JSON").await;
    assert_eq!((status, code), (400, -32700));
}

async fn refusal(client: &Client, body: &str) -> (u16, i64) {
    let answer = client.post(body, &[]).await;
    let error = &answer.json()["error"];
    assert!(!error["message"].as_str().unwrap().is_empty());
    (answer.status, error["code"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn val_1_batches_are_refused_in_clear_words() {
    let hub = hub();
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    let answer = client.post(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, &[]).await;
    assert_eq!(answer.status, 400);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], -32600);
    assert!(error["message"].as_str().unwrap().to_lowercase().contains("batch"), "{error}");
}

/// VAL-3: two readers of one message must not see two messages.
#[tokio::test(flavor = "multi_thread")]
async fn val_3_duplicate_members_are_refused_wherever_they_stand() {
    let hub = hub();
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    let good = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo__echo","arguments":{"text":"x","more":{"a":1}}}}"#;
    assert_eq!(client.post(good, &[]).await.json()["result"]["content"][0]["text"], "x");
    for (from, to) in [
        (r#""method":"#, r#""method":"ping","method":"#),
        (r#""id":7"#, r#""id":7,"id":8"#),
        (r#""params":"#, r#""params":{},"params":"#),
        (r#""name":"#, r#""name":"echo__misbehave","name":"#),
        (r#""name":"#, r#""n\u0061me":"echo__misbehave","name":"#),
        (r#""text":"x""#, r#""text":"x","text":"y""#),
        (r#"{"a":1}"#, r#"{"a":1,"a":2}"#),
        (r#"{"a":1}"#, r#"[{"a":1,"\u0061":2}]"#),
    ] {
        let body = good.replacen(from, to, 1);
        assert_ne!(body, good);
        let answer = client.post(&body, &[]).await;
        let error = &answer.json()["error"];
        assert!([-32600, -32602].contains(&error["code"].as_i64().unwrap_or_default()), "{body}: {:?}", answer.body);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("duplicate") || message.contains("twice"), "{body}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn val_1_headers_of_2026_07_28_must_say_what_the_body_says() {
    let hub = hub();
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let (body, _) = client.message("tools/call", call("echo__echo"));
    let good = [("mcp-method", "tools/call"), ("mcp-name", "echo__echo")];
    assert_eq!(client.post(&body, &good).await.status, 200);
    let encoded = [("mcp-method", "tools/call"), ("mcp-name", "=?base64?ZWNob19fZWNobw==?=")];
    assert_eq!(client.post(&body, &encoded).await.status, 200);
    let wrong: [&[(&str, &str)]; 6] = [
        &[("mcp-method", "tools/call"), ("mcp-name", "echo__misbehave")],
        &[("mcp-method", "tools/list"), ("mcp-name", "echo__echo")],
        &[("mcp-method", "tools/call")],
        &[("mcp-name", "echo__echo")],
        &[("mcp-method", "tools/call"), ("mcp-name", "=?base64?!?=")],
        &[("mcp-method", "tools/call"), ("mcp-name", "echo__echo"), ("mcp-protocol-version", "2025-11-25")],
    ];
    for headers in wrong {
        let answer = client.post(&body, headers).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(-32020)), "{headers:?}");
    }
    let other = body.replace("2026-07-28", "2099-01-01");
    let headers = [&good[..], &[("mcp-protocol-version", "2099-01-01")]].concat();
    let answer = client.post(&other, &headers).await;
    let error = &answer.json()["error"];
    assert_eq!((answer.status, &error["code"]), (400, &json!(-32022)), "{error}");
    assert_eq!(error["data"]["requested"], "2099-01-01");
    assert!(error["data"]["supported"].to_string().contains("2026-07-28"), "{error}");
    // What each request must say of itself is asked for.
    let mut meta = modern_meta();
    meta.as_object_mut().unwrap().remove("io.modelcontextprotocol/clientCapabilities");
    let params = json!({ "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params }).to_string();
    let answer = client.post(&body, &[("mcp-method", "tools/list")]).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(-32602)));
}

/// Writes `pieces` with a pause before each; how long the hub kept the connection, and what it said.
async fn slowly(hub: &Hub, pieces: &[&str], pause: Duration) -> (Duration, String) {
    let stream = TcpStream::connect(hub.address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
    let began = Instant::now();
    let writing = tokio::spawn(async move {
        for piece in pieces {
            if write.write_all(piece.as_bytes()).await.is_err() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        // It must be the hub that hangs up.
        std::future::pending::<()>().await;
        drop(write);
    });
    let mut said = Vec::new();
    let read = tokio::time::timeout(CUT_LIMIT, read.read_to_end(&mut said)).await;
    writing.abort();
    assert!(read.is_ok(), "still open after {CUT_LIMIT:?}, said {:?}", String::from_utf8_lossy(&said));
    (began.elapsed(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_slow_clients_are_cut_off() {
    let gateway = json!({ "header_timeout_s": 1, "body_timeout_s": 1 });
    let hub = Hub::configured(json!({ "servers": { "echo": bad(&["hang"]) }, "gateway": gateway }));
    let nothing = Duration::ZERO;
    slowly(&hub, &[], nothing).await;
    slowly(&hub, &["POST /mcp HTTP/1.1\r\nhost: localhost\r\n"], nothing).await;
    slowly(&hub, &["PRI * "], nothing).await;
    // One byte now and then is no sign of life.
    let drops = "x: y\r\n".repeat(10);
    let mut dripping = vec!["GET /healthz HTTP/1.1\r\nhost: localhost\r\n"];
    dripping.extend(drops.split_inclusive("").filter(|piece| !piece.is_empty()));
    slowly(&hub, &dripping, Duration::from_millis(300)).await;
    let head =
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let (_, said) = slowly(&hub, &[head], nothing).await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    // A connection that is kept for the next request is not kept for ever.
    let (_, said) = slowly(&hub, &["GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"], nothing).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_slow_http2_clients_are_cut_off() {
    let gateway = json!({ "header_timeout_s": 1, "body_timeout_s": 1 });
    let hub = Hub::configured(json!({ "servers": { "echo": bad(&["hang"]) }, "gateway": gateway }));
    // The preface alone: no settings, no request, no answer to a ping.
    let stream = TcpStream::connect(hub.address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    write.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let read = tokio::time::timeout(PING_LIMIT, read.read_to_end(&mut said)).await;
    assert!(read.is_ok(), "still open after {PING_LIMIT:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http2_with_prior_knowledge_and_kept_connections() {
    let hub = hub();
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let url = format!("http://{}/mcp", hub.address);
    let headers = [("mcp-method", "tools/call"), ("mcp-name", "echo__echo")];
    let stream = TcpStream::connect(hub.address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..50 {
        let arguments = json!({ "text": format!("call {number}") });
        let (body, _) = client.message("tools/call", json!({ "name": "echo__echo", "arguments": arguments }));
        let mut request = client.request(&body, &headers);
        *request.uri_mut() = url.parse().unwrap();
        request.headers_mut().remove("host");
        let mut sender = sender.clone();
        calls.spawn(async move {
            let response = in_time("a call over HTTP/2", sender.send_request(request)).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let answer: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(answer["result"]["content"][0]["text"], format!("call {number}"));
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    let stream = TcpStream::connect(hub.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Full<_>>(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..20 {
        let (body, _) = client.message("tools/call", call("echo__echo"));
        in_time("the connection to be ready", sender.ready()).await.unwrap();
        let response = in_time("a call", sender.send_request(client.request(&body, &headers))).await.unwrap();
        assert_eq!(http::whole(response).await.json()["result"]["content"][0]["text"], "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_call_in_flight_is_answered_when_the_hub_stops() {
    let mut slow = bad(&["slow-start", "1500"]);
    slow["sharing"] = json!("session");
    let mut hub = Hub::with(json!({ "slow": slow, "good": everything(&[]) }));
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    until("the lists are known", 10, async || {
        let tools = client.tools().await;
        if tools.contains(&"slow__echo".to_owned()) { Ok(()) } else { Err(format!("{tools:?}")) }
    })
    .await;
    let before = hub.processes().len();
    let calling = tokio::spawn(async move { client.text("slow__echo", json!({ "text": "x" })).await });
    // The session's own process starts: the call is in the middle.
    until("the call is in flight", 10, async || {
        if hub.processes().len() > before { Ok(()) } else { Err("no process more".to_owned()) }
    })
    .await;
    assert!(!calling.is_finished(), "the call was too fast for this test");
    hub.terminate();
    until("new connections are refused", 5, async || match TcpStream::connect(hub.address).await {
        Err(_) => Ok(()),
        Ok(_) => Err("a connection was accepted".to_owned()),
    })
    .await;
    assert!(!calling.is_finished(), "the call was too fast for this test");
    assert_eq!(in_time("the call", calling).await.unwrap(), "x");
    assert_eq!(hub.stopped(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_hub_that_stops_while_its_servers_start_is_quick() {
    for _ in 0..5 {
        let mut hub = Hub::unguarded(json!({ "servers": { "echo": bad(&["hang"]) } }));
        hub.ready().await;
        let began = Instant::now();
        hub.terminate();
        let code = hub.stopped();
        assert!(began.elapsed() < Duration::from_secs(4), "it took {:?}", began.elapsed());
        assert_eq!(code, Some(0));
    }
}

#[test]
fn gw_1_a_hub_that_says_it_listens_can_be_asked_to_stop() {
    for _ in 0..10 {
        let mut hub = Hub::unguarded(json!({ "servers": { "echo": bad(&["hang"]) } }));
        hub.terminate();
        assert_eq!(hub.stopped(), Some(0));
    }
}

#[test]
fn shb_2_beyond_loopback_only_with_tls_and_logins() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8420", "nonsense"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("tmp")).unwrap();
        let mut command = command(&home);
        let output = command.args(["serve", "--listen", address]).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{address}");
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = if address == "nonsense" { "is no address" } else { "set `gateway.tls`" };
        assert!(said.contains(expected), "{address}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_other_methods_of_http_are_refused() {
    let hub = hub();
    for method in [Method::PUT, Method::PATCH, Method::OPTIONS, Method::HEAD] {
        let answer = http::send(hub.address, http::request(method.clone(), hub.address, "/mcp", &[], "")).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.headers["allow"], "GET, POST, DELETE");
    }
}

/// TRB-4: a request whose body comes when its session has ended is refused, and no link is made for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_session_that_ended_while_a_body_was_on_its_way_stays_ended() {
    use std::io::{Read as _, Write as _};
    let mut entry = crate::harness::bad(&["hang"]);
    entry["sharing"] = json!("session");
    let hub = Hub::with(json!({ "own": entry }));
    hub.awake().await;
    let (before, address) = (hub.processes().len(), hub.address);
    let conversation = move || {
        let exchange = |head: &str, body: &str, late: bool| -> String {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let whole = format!(
                "{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(whole.as_bytes()).unwrap();
            let (first, rest) = body.split_at(body.len() / 2);
            stream.write_all(first.as_bytes()).unwrap();
            if late {
                // The head has been read when this one, on another connection, is answered.
                let session = head.split("Mcp-Session-Id: ").nth(1).unwrap();
                let mut other = std::net::TcpStream::connect(address).unwrap();
                let delete = format!(
                    "DELETE /mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nMcp-Session-Id: {session}\r\n\r\n"
                );
                std::thread::sleep(std::time::Duration::from_millis(100));
                other.write_all(delete.as_bytes()).unwrap();
                let mut answer = String::new();
                other.read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
            stream.write_all(rest.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
        let opened = exchange("POST /mcp HTTP/1.1", initialize, false);
        let session = opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap().to_owned();
        let call =
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"own__echo","arguments":{"text":"x"}}}"#;
        exchange(&format!("POST /mcp HTTP/1.1\r\nMcp-Session-Id: {session}"), call, true)
    };
    let answer = tokio::task::spawn_blocking(conversation).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert_eq!(hub.processes().len(), before);
}
