//! TOOL-3: a client that vanishes at any point of its call, over HTTP/2, HTTP+SSE and WebSocket (HTTP/1.1: floods.rs): what
//! was not said whole reaches nobody, what was is cancelled at its server, and nothing stays.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::floods::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame, literal};
use crate::harness::puppet::Puppet;
use crate::harness::{Client, Era, Hub, in_time, processes, until};
use crate::transports_down::{Sse, request, sessions};

/// Between two points at which it is cut.
const STEP: usize = 3;
/// What was said by the server before the client vanishes.
const PROGRESS: [u64; 3] = [0, 1, 20];
/// Descriptors that may have come without being a leak.
const DESCRIPTORS_MORE: usize = 8;

async fn hub(puppet: &Puppet) -> Hub {
    let config = json!({ "servers": { "p": puppet.entry() }, "gateway": { "resume_window_s": 1 } });
    let hub = Hub::configured(config);
    hub.awake().await;
    hub
}

/// Says `whole` up to every `STEP`th byte, and vanishes.
async fn cut_everywhere(address: SocketAddr, whole: &[u8]) {
    for cut in (0..whole.len()).step_by(STEP) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&whole[..cut]).await.unwrap();
    }
}

/// Waits until so many calls were cancelled: ids of two sessions may meet, so that the number alone tells.
async fn cancelled(puppet: &Puppet, whole: usize, after: &str) {
    until("every call is cancelled", 30, async || match puppet.cancelled() {
        cancelled if cancelled == whole => Ok(()),
        cancelled => Err(format!("{cancelled} of {whole}; {after}")),
    })
    .await;
}

/// Nothing is left: no session, no call, no descriptor; every call that came whole was cancelled, and no other came.
async fn nothing_left(hub: &Hub, puppet: &Puppet, whole: usize, before: usize) {
    cancelled(puppet, whole, "all").await;
    until("everything is given back", 60, async || {
        let (ready, now) = (hub.ready().await, processes::descriptors(hub.pid));
        let back = ready["calls"] == 0 && now <= before + DESCRIPTORS_MORE;
        if back { Ok(()) } else { Err(format!("{now} descriptors, before {before}; {ready}")) }
    })
    .await;
    assert_eq!(hub.ready().await["status"], "ready");
}

/// A call as HTTP/2: the preface, settings, the head, and the body in a frame of its own.
fn http2_call(client: &Client) -> Vec<u8> {
    let params = json!({ "name": "p__wait", "arguments": {}, "_meta": { "progressToken": 1 } });
    let (body, mirrored) = client.message("tools/call", params);
    let mirrored: Vec<(&str, &str)> = mirrored.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let request = client.request(&body, &mirrored);
    // The indices of `:method: POST` and `:scheme: http` (RFC 7541, appendix A).
    let mut fields = [vec![0x83, 0x86], literal(":path", "/mcp"), literal(":authority", "localhost")].concat();
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != "host") {
        fields.extend(literal(name.as_str(), value.to_str().unwrap()));
    }
    let head = frame(HEADERS, END_HEADERS, 1, &fields);
    [PREFACE, &frame(SETTINGS, 0, 0, &[]), &head, &frame(DATA, END_STREAM, 1, body.as_bytes())].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_disconnect_at_every_point_of_a_call_over_http2() {
    let mut puppet = Puppet::start().await;
    let hub = hub(&puppet).await;
    let (before, mut whole) = (processes::descriptors(hub.pid), 0);
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        cut_everywhere(hub.address, &http2_call(&client)).await;
        for (progress, resets) in PROGRESS.into_iter().flat_map(|progress| [(progress, false), (progress, true)]) {
            let mut stream = TcpStream::connect(hub.address).await.unwrap();
            stream.write_all(&http2_call(&client)).await.unwrap();
            let call = puppet.call().await;
            (1..=progress).for_each(|step| call.progress(step));
            if progress > 0 {
                in_time("a sign of the answer", stream.read_exact(&mut [0; 64])).await.unwrap();
            }
            whole += 1;
            // Either the request is taken back, or the connection is gone.
            let stays = if resets {
                stream.write_all(&frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])).await.unwrap();
                Some(stream)
            } else {
                drop(stream);
                None
            };
            cancelled(&puppet, whole, &format!("{era:?}, {progress} before, reset: {resets}")).await;
            drop((stays, call));
        }
    }
    nothing_left(&hub, &puppet, whole, before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_disconnect_at_every_point_of_a_call_over_http_sse() {
    let mut puppet = Puppet::start().await;
    let hub = hub(&puppet).await;
    let before = processes::descriptors(hub.pid);
    let open = "GET /sse HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";
    cut_everywhere(hub.address, open.as_bytes()).await;
    for (done, progress) in PROGRESS.into_iter().enumerate() {
        let mut client = Sse::open(&hub, "/sse").await;
        client.initialize().await;
        let params = json!({ "name": "p__wait", "arguments": {}, "_meta": { "progressToken": 1 } });
        let call = request(1, "tools/call", &params);
        let (uri, length) = (&client.uri, call.len());
        let head = format!(
            "POST {uri} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        // A message that breaks off is none; the session's stream is another connection, and stays.
        cut_everywhere(hub.address, format!("{head}{call}").as_bytes()).await;
        assert_eq!(client.post_to(&client.uri, &call).await.status, 202);
        let call = puppet.call().await;
        (1..=progress).for_each(|step| call.progress(step));
        drop(client);
        cancelled(&puppet, done + 1, &format!("{progress} before")).await;
        drop(call);
    }
    sessions(&hub, 0).await;
    nothing_left(&hub, &puppet, PROGRESS.len(), before).await;
}

/// A text message of a client's, masked with zeros.
fn text_frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let mut frame = vec![0x81];
    if length < 126 {
        frame.push(0x80 | u8::try_from(length).unwrap());
    } else {
        frame.push(0x80 | 126);
        frame.extend(length.to_be_bytes());
    }
    [&frame, &[0; 4][..], text.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_disconnect_at_every_point_of_a_call_on_a_websocket() {
    let mut puppet = Puppet::start().await;
    let hub = hub(&puppet).await;
    let before = processes::descriptors(hub.pid);
    let upgrade = "GET /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: mcp\r\n\r\n";
    let info = json!({ "name": "e", "version": "1" });
    let hello =
        request(0, "initialize", &json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info }));
    let call =
        request(1, "tools/call", &json!({ "name": "p__wait", "arguments": {}, "_meta": { "progressToken": 1 } }));
    let initialized = text_frame(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let whole = [upgrade.as_bytes(), &text_frame(&hello), &initialized, &text_frame(&call)].concat();
    cut_everywhere(hub.address, &whole).await;
    for (done, progress) in PROGRESS.into_iter().enumerate() {
        let mut stream = TcpStream::connect(hub.address).await.unwrap();
        stream.write_all(&whole).await.unwrap();
        let call = puppet.call().await;
        (1..=progress).for_each(|step| call.progress(step));
        in_time("the upgrade", stream.read_exact(&mut [0; 64])).await.unwrap();
        // What comes after a part of the next message is as if there were none.
        stream.write_all(&text_frame(&hello)[..7]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(stream);
        cancelled(&puppet, done + 1, &format!("{progress} before")).await;
        drop(call);
    }
    sessions(&hub, 0).await;
    nothing_left(&hub, &puppet, PROGRESS.len(), before).await;
}
