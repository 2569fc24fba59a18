//! Requests and answers on the wire, and which bytes hyper gets.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::body::Body;
use crate::http::http1::{Handed, serve};
use crate::http::incoming::RequestBody;
use crate::http::shared::GatewayLimits;

const WAIT: Duration = Duration::from_secs(60);

type Served = JoinHandle<std::io::Result<Option<Handed<DuplexStream>>>>;

/// A server that answers with the body that it got, but never to `hang`; its deadlines are `patience`.
fn server(patience: Duration) -> (DuplexStream, watch::Sender<bool>, Served) {
    let (stop, stopping) = watch::channel(false);
    let limits =
        GatewayLimits { connections_max: 1, body_bytes_max: 200_000, header_timeout: patience, body_timeout: patience };
    // So small that answers go out in pieces too.
    let (client, stream) = tokio::io::duplex(3_000);
    let served = tokio::spawn(async move {
        let answer = async |head: Arc<http::request::Parts>, body: RequestBody| {
            assert_eq!(head.headers["host"], "localhost");
            if head.headers.contains_key("refused") {
                return refused();
            }
            let body = match body {
                RequestBody::Whole(body) => Ok(body),
                RequestBody::Awaited(body) => tokio::time::timeout(patience, body.body()).await.map_err(|_| ()),
                RequestBody::Coming(..) => Err(()),
            };
            let Ok(body) = body else { return refused() };
            if body == "hang" {
                std::future::pending::<()>().await;
            }
            let mut response = Response::new(Body::whole(body));
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        };
        serve(stream, &limits, stopping, answer).await
    });
    (client, stop, served)
}

fn refused() -> Response<Body> {
    let mut response = Response::new(Body::whole("no"));
    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    response
}

fn post(more: &str, body: &str) -> String {
    let length = body.len();
    format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\n{more}content-length: {length}\r\n\r\n{body}")
}

/// The bodies of `count` answers, or of those that come before the end.
async fn bodies(client: &mut (impl tokio::io::AsyncRead + Unpin), count: usize) -> Vec<String> {
    let (mut raw, mut found) = (Vec::new(), Vec::new());
    while found.len() < count {
        let text = String::from_utf8(raw.clone()).unwrap();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            assert!(head.starts_with("HTTP/1.1 202 Accepted\r\n") && head.contains("\r\ndate: "), "{head}");
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            if let Some(body) = rest.get(..length.parse().unwrap()) {
                found.push(body.to_owned());
                raw.drain(..head.len() + 4 + body.len());
                continue;
            }
        }
        if tokio::time::timeout(WAIT, client.read_buf(&mut raw)).await.unwrap().unwrap() == 0 {
            break;
        }
    }
    found
}

#[tokio::test]
async fn gw_1_requests_are_answered_in_order_however_they_come_in_pieces() {
    let sent: Vec<String> = [0, 1, 8_000, 8_192, 16_384, 16_385, 100_000, 3].map(|size| "y".repeat(size)).into();
    let all: String = sent.iter().map(|body| post("", body)).collect();
    for piece in [1_000_000, 4_999, 61] {
        let (client, _stop, _served) = server(WAIT);
        let (mut read, mut write) = tokio::io::split(client);
        let bytes = all.clone().into_bytes();
        let writing = tokio::spawn(async move {
            for piece in bytes.chunks(piece) {
                write.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            write
        });
        assert!(bodies(&mut read, sent.len()).await == sent, "{piece}");
        drop(writing.await.unwrap());
    }
}

/// What is not plain goes to hyper from its first byte on, with all that came behind it.
#[tokio::test]
async fn gw_1_what_is_not_plain_is_handed_over_whole() {
    for other in [
        post("transfer-encoding: chunked\r\n", "0\r\n\r\n"),
        post("content-length: 2\r\n", "{}"),
        post("expect: 100-continue\r\n", "{}"),
        post("connection: close\r\n", "{}"),
        post("x: y\r\n", "{}").replace("y\r\n", "y\n"),
        format!("\r\n{}", post("", "{}")),
        "GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "\0".to_owned(),
    ] {
        let (mut client, _stop, served) = server(WAIT);
        client.write_all([post("", "first").as_bytes(), other.as_bytes()].concat().as_slice()).await.unwrap();
        assert_eq!(bodies(&mut client, 1).await, ["first"], "{other}");
        let Handed { ahead, mut stream } = served.await.unwrap().unwrap().unwrap();
        client.write_all(post("", "last").as_bytes()).await.unwrap();
        drop(client);
        let mut rest = ahead.to_vec();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(String::from_utf8(rest).unwrap(), format!("{other}{}", post("", "last")));
    }
}

#[tokio::test]
async fn trb_1_what_waits_longer_than_it_may_is_ended() {
    let whole = post("", "hello");
    for (said, answer) in [("", ""), (&whole[..30], ""), (&whole[..whole.len() - 2], "HTTP/1.1 408 ")] {
        let (mut client, _stop, served) = server(Duration::from_millis(50));
        client.write_all(said.as_bytes()).await.unwrap();
        let mut text = String::new();
        tokio::time::timeout(WAIT, client.read_to_string(&mut text)).await.unwrap().unwrap();
        assert!(text.starts_with(answer) && text.is_empty() == answer.is_empty(), "{said}: {text}");
        assert_eq!(text.contains("connection: close\r\n"), !answer.is_empty());
        assert!(served.await.unwrap().unwrap().is_none());
    }
}

/// Who may not ask is told so at the head: nothing of the body is read, and the connection ends with the refusal.
#[tokio::test]
async fn auth_1_a_body_is_read_when_it_is_asked_for_and_not_before() {
    let (mut client, _stop, served) = server(WAIT);
    let head = post("refused: 1\r\n", "").replace("content-length: 0", "content-length: 150000");
    client.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(WAIT, client.read_to_string(&mut text)).await.unwrap().unwrap();
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("connection: close\r\n"), "{text}");
    assert!(served.await.unwrap().unwrap().is_none());
    // What came with the head is taken away with it: the next request is the next.
    let (mut client, _stop, _served) = server(WAIT);
    client.write_all([post("refused: 1\r\n", "x"), post("", "y")].concat().as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\ny") {
        assert!(tokio::time::timeout(WAIT, client.read_buf(&mut text)).await.unwrap().unwrap() > 0);
    }
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 408 ") && text.contains("\r\n\r\nnoHTTP/1.1 202 ") && !text.contains("close"),
        "{text}"
    );
}

/// TOOL-3: nobody waits for the answer any more.
#[tokio::test]
async fn tool_3_a_client_that_leaves_lets_go_of_what_it_asked() {
    let (mut client, _stop, served) = server(WAIT);
    client.write_all(post("", "hang").as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    drop(client);
    let ended = tokio::time::timeout(WAIT, served).await.unwrap().unwrap();
    assert!(!matches!(ended, Ok(Some(_))));
}

#[tokio::test]
async fn trb_1_a_connection_that_waits_ends_when_the_hub_stops() {
    let (mut client, stop, served) = server(WAIT);
    client.write_all(post("", "x").as_bytes()).await.unwrap();
    assert_eq!(bodies(&mut client, 1).await, ["x"]);
    stop.send(true).unwrap();
    assert!(tokio::time::timeout(WAIT, served).await.unwrap().unwrap().unwrap().is_none());
    assert!(bodies(&mut client, 1).await.is_empty());
}

#[tokio::test]
async fn trb_1_a_request_that_has_begun_when_the_hub_stops_is_answered() {
    let (mut client, stop, served) = server(WAIT);
    let request = post("", "late");
    let (first, rest) = request.split_at(20);
    client.write_all(first.as_bytes()).await.unwrap();
    for piece in rest.as_bytes().chunks(7) {
        stop.send(true).unwrap();
        tokio::task::yield_now().await;
        client.write_all(piece).await.unwrap();
    }
    assert_eq!(bodies(&mut client, 1).await, ["late"]);
    assert!(tokio::time::timeout(WAIT, served).await.unwrap().unwrap().unwrap().is_none());
}

#[tokio::test]
async fn gw_1_a_body_that_is_made_as_it_is_read_goes_in_chunks() {
    struct Two(u8);
    impl crate::http::body::Source for Two {
        fn next(self: Box<Self>) -> crate::http::body::Next {
            Box::pin(async move {
                let next = match self.0 {
                    0 => Bytes::from_static(b"one"),
                    1 => Bytes::from(vec![b'z'; 40_000]),
                    _ => return None,
                };
                Some((next, Box::new(Two(self.0 + 1)) as Box<dyn crate::http::body::Source>))
            })
        }
    }
    let (mut client, stream) = tokio::io::duplex(3_000);
    let (_stop, stopping) = watch::channel(false);
    let limits = GatewayLimits { connections_max: 1, body_bytes_max: 100, header_timeout: WAIT, body_timeout: WAIT };
    tokio::spawn(async move {
        let answer = async |_: Arc<http::request::Parts>, _: RequestBody| Response::new(Body::stream(Box::new(Two(0))));
        serve(stream, &limits, stopping, answer).await
    });
    for _ in 0..2 {
        client.write_all(post("", "").as_bytes()).await.unwrap();
        let mut raw = Vec::new();
        while !raw.ends_with(b"\r\n0\r\n\r\n") {
            assert!(tokio::time::timeout(WAIT, client.read_buf(&mut raw)).await.unwrap().unwrap() > 0);
        }
        let text = String::from_utf8(raw).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\ntransfer-encoding: chunked") && !head.contains("content-length"), "{head}");
        assert_eq!(body, format!("3\r\none\r\n9c40\r\n{}\r\n0\r\n\r\n", "z".repeat(40_000)));
    }
}
