//! The same bytes to the reader of plain requests and to hyper alone are the same requests, however they come in pieces: what
//! one of them saw differently could be smuggled past the other (row GW-1).
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::request::Parts;
use http::{Response, header};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;

use crate::http::body::Body;
use crate::http::http1::serve;
use crate::http::incoming::RequestBody;
use crate::http::pace::Paced;
use crate::http::shared::GatewayLimits;

const WAIT: Duration = Duration::from_secs(60);
/// Both read a body up to here alike; beyond it is hyper's in both.
const BODY_BYTES_MAX: usize = 64;

/// Turns for whoever answers before its client is gone: all is in one thread and in memory, so that they are enough.
const TURNS: usize = 4_000;

/// Requests, each as a text, in the order in which they were seen.
type Seen = Arc<Mutex<Vec<String>>>;

fn see(seen: &Seen, head: &Parts, body: &[u8]) {
    let own = [header::CONTENT_LENGTH, header::CONNECTION];
    let mut fields: Vec<String> = head.headers.iter().filter(|(name, _)| !own.contains(name)).map(field).collect();
    fields.sort();
    let (method, uri, version) = (&head.method, &head.uri, head.version);
    seen.lock().unwrap().push(format!("{method} {uri} {version:?} {fields:?} {:?}", body.escape_ascii().to_string()));
}

fn field((name, value): (&header::HeaderName, &header::HeaderValue)) -> String {
    format!("{name}: {}", value.as_bytes().escape_ascii())
}

/// Writes `raw` in pieces as the pipe takes them, and reads whatever is answered.
fn client(raw: Vec<u8>, piece: usize) -> DuplexStream {
    let (client, stream) = tokio::io::duplex(piece);
    let (mut answers, mut out) = tokio::io::split(client);
    tokio::spawn(async move {
        let _refused = out.write_all(&raw).await;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let _gone = out.shutdown().await;
    });
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while answers.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    });
    stream
}

async fn by_hyper(stream: Paced<DuplexStream, ()>, seen: &Seen) {
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
        let (head, body) = request.into_parts();
        if let Ok(body) = body.collect().await {
            see(seen, &head, &body.to_bytes());
        }
        Ok::<_, Infallible>(Response::new(Body::whole("ok")))
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ended = tokio::time::timeout(WAIT, connection).await.unwrap();
}

async fn by_ours(stream: Paced<DuplexStream, ()>, seen: &Seen) {
    let limits =
        GatewayLimits { connections_max: 1, body_bytes_max: BODY_BYTES_MAX, header_timeout: WAIT, body_timeout: WAIT };
    let (_stop, stopping) = watch::channel(false);
    let answer = |head: Arc<Parts>, body: RequestBody| async move {
        match body {
            RequestBody::Whole(body) => see(seen, &head, &body),
            RequestBody::Awaited(body) => see(seen, &head, &body.body().await),
            RequestBody::Coming(..) => {}
        }
        Response::new(Body::whole("ok"))
    };
    let served = tokio::time::timeout(WAIT, serve(stream, &limits, stopping, answer)).await.unwrap();
    if let Ok(Some(handed)) = served {
        by_hyper(handed.stream.ahead(handed.ahead), seen).await;
    }
}

fn requests(raw: &[u8], piece: usize) -> (Vec<String>, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (ours, hyper) = (Seen::default(), Seen::default());
    runtime.block_on(async {
        by_ours(Paced::new(client(raw.to_vec(), piece), WAIT, ()), &ours).await;
        by_hyper(Paced::new(client(raw.to_vec(), 64 * 1024), WAIT, ()), &hyper).await;
    });
    let taken = |seen: Seen| std::mem::take(&mut *seen.lock().unwrap());
    (taken(ours), taken(hyper))
}

const LINES: &[&str] = &[
    "POST /mcp HTTP/1.1",
    "POST /mcp?x=/../y HTTP/1.1",
    "POST //mcp HTTP/1.1",
    "POST /m#c HTTP/1.1",
    "POST /a%2e%2E HTTP/1.1",
    "POST /a b HTTP/1.1",
    "POST /\u{e9} HTTP/1.1",
    "POST http://other/mcp HTTP/1.1",
    "POST * HTTP/1.1",
    "POST other:80 HTTP/1.1",
    "POST  /mcp HTTP/1.1",
    "POST /mcp  HTTP/1.1",
    "POST /mcp HTTP/1.0",
    "POST /mcp HTTP/1.2",
    "POST /mcp",
    "post /mcp HTTP/1.1",
    "GET /mcp HTTP/1.1",
];
const FIELDS: &[&str] = &[
    "host: localhost",
    "Host: other",
    "authorization: Bearer a",
    "authorization: Bearer b",
    "x: y",
    "x: ",
    "x:\ty \t",
    " x: y",
    "x : y",
    "x: a\r\n b",
    "x: a\nz: b",
    "x: a\rz: b",
    "x: \u{1}",
    "x: \u{e9}",
    "x\u{0}: y",
    ": y",
    "x",
    "content-length: 3",
    "content-length: 03",
    "Content-Length: 3 ",
    "content-length: +3",
    "content-length: -1",
    "content-length: 3, 3",
    "content-length: 0x3",
    "content-length:",
    "content-length: 4294967299",
    "content-length: 18446744073709551619",
    "transfer-encoding: chunked",
    "Transfer-Encoding : chunked",
    "transfer-encoding: identity",
    "transfer-encoding:\tchunked",
    "transfer-encoding: x\r\n chunked",
    "connection: close",
    "Connection: keep-alive",
    "connection: keep-alive, te",
    "connection: content-length",
    "expect: 100-continue",
    "upgrade: h2c",
    "te: trailers",
    "trailer: x",
];
const BODIES: &[&str] =
    &["", "{}", "abc", "0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "POST /mcp HTTP/1.1\r\nhost: a\r\n\r\n"];

/// One request, plain more often than not; its length may lie.
fn request() -> impl Strategy<Value = String> {
    let line = prop_oneof![4 => Just(LINES[0]), 1 => prop::sample::select(LINES)];
    let field = prop_oneof![2 => prop::sample::select(&FIELDS[..6]), 1 => prop::sample::select(FIELDS)];
    let length = prop_oneof![6 => Just(0_i64), 1 => -2_i64..70, 1 => Just(i64::MIN)];
    let end = prop_oneof![12 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("\r\r\n")];
    let parts = (line, prop::collection::vec(field, 0..4), prop::sample::select(BODIES), length, end);
    parts.prop_map(|(line, fields, body, off, end)| {
        let mut lines: Vec<String> = vec![line.to_owned()];
        lines.extend(fields.into_iter().map(str::to_owned));
        if off != i64::MIN {
            lines.push(format!("content-length: {}", body.len() as i64 + off));
        }
        format!("{}{end}{end}{body}", lines.join(end))
    })
}

/// Several on one connection, the first of them perhaps again with another body, and perhaps a byte that is another.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::sample::select(&b"\r\n \t\0:,+0\x7f\xff"[..]);
    let change = prop::option::weighted(0.3, (any::<prop::sample::Index>(), odd, any::<bool>()));
    (prop::collection::vec(request(), 1..4), any::<bool>(), change).prop_map(|(mut all, again, change)| {
        if again {
            all.insert(1, all[0].clone());
        }
        let mut raw = all.concat().into_bytes();
        if let Some((at, byte, insert)) = change {
            let at = at.index(raw.len());
            if insert { raw.insert(at, byte) } else { raw[at] = byte }
        }
        raw
    })
}

proptest! {
    #[test]
    fn gw_1_the_plain_reader_sees_what_hyper_sees(raw in bytes(), piece in prop::sample::select(vec![1_usize, 7, 61, 65_536])) {
        let (ours, hyper) = requests(&raw, piece);
        prop_assert_eq!(ours, hyper, "{}", raw.escape_ascii());
    }
}

/// The test above would see nothing where nothing is ever read.
#[test]
fn gw_1_what_is_plain_is_seen_by_both() {
    let one = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc";
    let raw = format!("{one}{}{}", one.replace("3\r\n\r\nabc", "1\r\n\r\nx"), one.replace("localhost", "other"));
    for piece in 1..80 {
        let (ours, hyper) = requests(raw.as_bytes(), piece);
        assert_eq!(ours, hyper);
        assert!(ours.len() == 3 && ours[1].ends_with("\"x\"") && ours[2].contains("other"), "{ours:?}");
    }
}
