//! GW-1: clients that mean no good, or are gone, over real sockets: they are dropped, and the others do not feel it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::puppet::Puppet;
use crate::harness::{Client, Era, Hub, bad, http, in_time, processes, until};

/// For an attacker to be dropped.
const DROP_LIMIT: Duration = Duration::from_secs(60);
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frame types and flags of RFC 9113 section 6.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Deadlines of a second, and nothing else that is special.
fn hub() -> Hub {
    let gateway = json!({ "header_timeout_s": 1, "body_timeout_s": 1 });
    Hub::configured(json!({ "servers": { "echo": bad(&["hang"]) }, "gateway": gateway }))
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// A header that is not kept in the table (RFC 7541 section 6.2.2); its parts are shorter than 127 bytes.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0, u8::try_from(name.len()).unwrap()];
    out.extend_from_slice(name.as_bytes());
    out.push(u8::try_from(value.len()).unwrap());
    out.extend_from_slice(value.as_bytes());
    out
}

/// The fields of a request for `path`; the indices are those of `:method: GET` and `:scheme: http`.
fn request_fields(path: &str) -> Vec<u8> {
    [vec![0x82, 0x86], literal(":path", path), literal(":authority", "localhost")].concat()
}

/// Sends what `next` makes, as fast as it is taken, and reads what comes; until the hub hangs up. How many it took.
async fn attack(hub: &Hub, first: &[u8], mut next: impl FnMut(u32) -> Vec<u8> + Send + 'static, most: u32) -> u32 {
    let (mut read, mut write) = TcpStream::connect(hub.address).await.unwrap().into_split();
    write.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), first].concat()).await.unwrap();
    let writing = tokio::spawn(async move {
        for number in 0..most {
            if write.write_all(&next(number)).await.is_err() {
                return number;
            }
        }
        // Nothing more is sent, and nothing is closed: the hub has to.
        tokio::time::sleep(DROP_LIMIT).await;
        most
    });
    let mut sink = vec![0; 65_536];
    let dropped =
        tokio::time::timeout(DROP_LIMIT, async { while !matches!(read.read(&mut sink).await, Ok(0) | Err(_)) {} });
    assert!(dropped.await.is_ok(), "the attacker is still served after {DROP_LIMIT:?}");
    let done = tokio::time::timeout(Duration::from_secs(2), writing).await;
    done.map_or(most, Result::unwrap)
}

/// Runs `attack` while another client calls; that one is answered all the time.
async fn beside(hub: &Hub, what: &str, attack: impl Future<Output = u32>) -> u32 {
    let client = Client::open(hub, "/mcp", Era::Legacy).await;
    let mut attack = std::pin::pin!(attack);
    let (mut slowest, began) = (Duration::ZERO, Instant::now());
    loop {
        let one = Instant::now();
        let call = client.text("echo__echo", json!({ "text": "x" }));
        let taken = tokio::select! {
            biased;
            taken = attack.as_mut() => Some(taken),
            text = call => { assert_eq!(text, "x"); None }
        };
        slowest = slowest.max(one.elapsed());
        if let Some(taken) = taken {
            eprintln!(
                "{what}: dropped after {taken} frames and {:?}; the slowest call beside it took {slowest:?}",
                began.elapsed()
            );
            assert_eq!(client.text("echo__echo", json!({ "text": "x" })).await, "x", "{what}");
            return taken;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http2_streams_opened_and_reset_without_end() {
    let hub = hub();
    let fields = request_fields("/healthz");
    let attacker = attack(
        &hub,
        &[],
        move |number| {
            let stream = number * 2 + 1;
            let reset = frame(RST_STREAM, 0, stream, &8u32.to_be_bytes());
            [frame(HEADERS, END_HEADERS, stream, &fields), reset].concat()
        },
        1_000_000,
    );
    let taken = beside(&hub, "rapid reset", attacker).await;
    assert!(taken < 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http2_headers_without_end() {
    let hub = hub();
    let head = frame(HEADERS, 0, 1, &request_fields("/healthz"));
    let taken = beside(&hub, "continuation", attack(&hub, &head, |_| frame(CONTINUATION, 0, 1, &[]), 1_000_000)).await;
    assert!(taken < 100_000, "{taken}");
    let piece = literal("x-filler", &"x".repeat(100)).repeat(100);
    let flood = attack(&hub, &head, move |_| frame(CONTINUATION, 0, 1, &piece), 100_000);
    let taken = beside(&hub, "continuation with fields", flood).await;
    assert!(taken < 10_000, "{taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http2_pings_and_settings_without_end() {
    let hub = hub();
    for (what, one) in [("settings", frame(SETTINGS, 0, 0, &[])), ("ping", frame(PING, 0, 0, &[7; 8]))] {
        let many = one.repeat(64);
        let taken = beside(&hub, what, attack(&hub, &[], move |_| many.clone(), 1_000_000)).await;
        assert!(taken < 1_000_000, "{what}: {taken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http2_header_lists_that_unpack_to_megabytes() {
    let hub = hub();
    // One large field goes into the table, then it is named by its index, a byte each (RFC 7541 section 2.3.2).
    // Its value has 127 + 0x60 + (0x1e << 7) bytes, so that it just fits the table.
    let large = [&[0x40, 1, b'x', 0x7f, 0xe0, 0x1e][..], &[b'y'; 127 + 0x60 + (0x1e << 7)]].concat();
    let bomb = [request_fields("/healthz"), large, vec![0xbe; 12_000]].concat();
    let pieces: Vec<&[u8]> = bomb.chunks(16_000).collect();
    let last = pieces.len() - 1;
    let mut head = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let kind = if number == 0 { HEADERS } else { CONTINUATION };
        let flags = if number == last { END_HEADERS } else { 0 } | if number == 0 { END_STREAM } else { 0 };
        head.extend_from_slice(&frame(kind, flags, 1, piece));
    }
    let before = processes::resident_kib(hub.pid);
    let taken = beside(&hub, "header bomb", attack(&hub, &head, |_| Vec::new(), 0)).await;
    assert_eq!(taken, 0);
    let more = processes::resident_kib(hub.pid).saturating_sub(before);
    assert!(more < 16 * 1024, "{more} KiB more");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http2_connections_that_do_nothing_but_answer_pings_are_not_kept() {
    let hub = hub();
    let stream = TcpStream::connect(hub.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = ::http::Request::get(format!("http://{}/healthz", hub.address));
    let answer =
        sender.send_request(request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(answer);
    // The handle stays, and the connection answers whatever it is asked.
    let ended = tokio::time::timeout(DROP_LIMIT, connection).await;
    assert!(ended.is_ok(), "still open after {DROP_LIMIT:?}");
    drop(sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_http2_answers_that_are_never_taken_end_their_connection() {
    let hub = hub();
    // No room for any answer: SETTINGS_INITIAL_WINDOW_SIZE is 0.
    let no_room = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let ask = frame(HEADERS, END_HEADERS | END_STREAM, 1, &request_fields("/healthz"));
    // It gives signs of life all the while.
    let (mut read, mut write) = TcpStream::connect(hub.address).await.unwrap().into_split();
    write.write_all(&[PREFACE, &no_room, &ask].concat()).await.unwrap();
    let alive = tokio::spawn(async move {
        while write.write_all(&frame(PING, 0, 0, &[1; 8])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut said = Vec::new();
    let ended = tokio::time::timeout(DROP_LIMIT, read.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "still open after {DROP_LIMIT:?}");
    alive.abort();
    // It was asked, and answered: the body alone was not taken.
    let mut kinds = Vec::new();
    let mut rest = &said[..];
    while let [a, b, c, kind, ..] = rest {
        kinds.push(*kind);
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    assert!(kinds.contains(&HEADERS) && !kinds.contains(&DATA), "{kinds:?}, GOAWAY is {GOAWAY}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_clients_that_drip_and_clients_that_never_read_are_dropped() {
    const BYTES: usize = 32 * 1024 * 1024;
    let servers = json!({ "echo": bad(&["hang"]), "big": bad(&["big-result", &BYTES.to_string()]) });
    let gateway = json!({ "header_timeout_s": 1, "body_timeout_s": 1 });
    let hub = Hub::configured(json!({ "servers": servers, "gateway": gateway }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    assert_eq!(client.text("echo__echo", json!({ "text": "x" })).await, "x");
    let before = processes::descriptors(hub.pid);
    // Two hundred that send a byte now and then, in the head and in the body.
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n";
    let mut dripping = tokio::task::JoinSet::new();
    for number in 0..200 {
        let address = hub.address;
        let start = if number % 2 == 0 { head.to_owned() } else { format!("{head}\r\n{{") };
        dripping.spawn(async move {
            let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
            write.write_all(start.as_bytes()).await.unwrap();
            let drip = tokio::spawn(async move {
                while write.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            });
            let mut said = Vec::new();
            let ended = tokio::time::timeout(DROP_LIMIT, read.read_to_end(&mut said)).await;
            drip.abort();
            ended.is_ok()
        });
    }
    // One asks for a large answer and takes nothing of it.
    let (body, _) = client.message("tools/call", json!({ "name": "big__misbehave", "arguments": {} }));
    let mut deaf = TcpStream::connect(hub.address).await.unwrap();
    let session = client.session.as_deref().unwrap();
    let ask = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nmcp-session-id: {session}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    deaf.write_all(ask.as_bytes()).await.unwrap();
    while !dripping.is_empty() {
        assert_eq!(client.text("echo__echo", json!({ "text": "x" })).await, "x");
        while let Some(done) = dripping.try_join_next() {
            assert!(done.unwrap(), "a dripping client is still served");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until("descriptors are given back", 60, async || match processes::descriptors(hub.pid) {
        now if now <= before + 2 => Ok(()),
        now => Err(format!("{now}, before {before}")),
    })
    .await;
    let mut taken = Vec::new();
    let _reset = in_time("what was on its way", deaf.read_to_end(&mut taken)).await;
    assert!(taken.len() < BYTES, "all of it was kept for a client that did not read");
}

/// The bytes of a call, as they go out.
fn call_bytes(client: &Client) -> Vec<u8> {
    let params = json!({ "name": "p__wait", "arguments": {}, "_meta": { "progressToken": 1 } });
    let (body, mirrored) = client.message("tools/call", params);
    let mirrored: Vec<(&str, &str)> = mirrored.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let request = client.request(&body, &mirrored);
    let mut head = format!("POST /mcp HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// TOOL-3: whatever the client got to say before it vanished, nothing stays of it, here or at the server.
#[tokio::test(flavor = "multi_thread")]
async fn tool_3_disconnect_at_every_point_of_a_call() {
    let mut puppet = Puppet::start().await;
    let config = json!({ "servers": { "p": puppet.entry() }, "gateway": { "resume_window_s": 1 } });
    let hub = Hub::configured(config);
    hub.awake().await;
    let mut kept = Vec::new();
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        let whole = call_bytes(&client);
        for cut in (0..whole.len()).step_by(5) {
            let mut stream = TcpStream::connect(hub.address).await.unwrap();
            stream.write_all(&whole[..cut]).await.unwrap();
        }
        // What is not whole reaches nobody. What is, is cancelled: while nothing came, after a part, after much of it.
        for progress in [0, 1, 20] {
            let mut stream = TcpStream::connect(hub.address).await.unwrap();
            stream.write_all(&call_bytes(&client)).await.unwrap();
            let call = puppet.call().await;
            (1..=progress).for_each(|step| call.progress(step));
            if progress > 0 {
                let mut first = [0; 64];
                in_time("the head", stream.read_exact(&mut first)).await.unwrap();
                assert!(first.starts_with(b"HTTP/1.1 200"));
            }
            drop(stream);
            call.until_cancelled().await;
            // Its stream stays: one that ends before its call is cancelled would be a broken server.
            kept.push(call);
        }
    }
    // Ids of two sessions may meet, so that the last of these calls can look cancelled before it is: the number tells.
    until("every call is cancelled", 30, async || match puppet.cancelled() {
        6 => Ok(()),
        other => Err(format!("{other} of 6")),
    })
    .await;
    let answers = http::get(hub.address, "/readyz", &[]).await;
    let ready: Value = serde_json::from_slice(&answers.body).unwrap();
    assert_eq!(ready["status"], "ready", "{ready}");
    // The next call is served as if nothing had been.
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let asking = client.text("p__wait", json!({}));
    let (text, ()) = tokio::join!(asking, async { puppet.call().await.answer("well") });
    assert_eq!(text, "well");
}
