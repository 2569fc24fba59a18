//! Answers a hostile or odd server may give, byte by byte.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::{Client, EgressError, PoolLimits, Target, collect};

const LIMITS: PoolLimits = PoolLimits {
    initial: 1,
    size: 2,
    max: 2,
    connect_timeout: Duration::from_secs(20),
    idle_timeout: Duration::from_secs(60),
};
const BODY_MAX: usize = 1 << 20;

async fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).unwrap();
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

/// A server that gives each connection the same bytes for each request, `piece` at a time, then closes if it is told to.
async fn server(answer: Vec<u8>, piece: usize, closes: bool) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                while request(&mut stream).await.is_some() {
                    for piece in answer.chunks(piece) {
                        if stream.write_all(piece).await.is_err() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                    if closes {
                        return;
                    }
                }
            });
        }
    });
    Client::new(Target::parse(&url).unwrap(), LIMITS)
}

async fn post(client: &Client) -> Result<(u16, Bytes), EgressError> {
    let answer = client.send(Method::POST, HeaderMap::new(), Bytes::from_static(b"{}")).await?;
    let status = answer.status().as_u16();
    Ok((status, collect(answer.into_body(), BODY_MAX).await?))
}

#[tokio::test]
async fn every_framing_is_read_whole_however_it_comes_in_pieces() {
    let chunked: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=\"1\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nx: y\r\n\r\n";
    let answers: [(&[u8], &[u8], usize); 6] = [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello", 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhello", b"hello", 1),
        (chunked, b"abc0123456789", 1),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok", 1),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok", b"ok", 1),
    ];
    for (answer, expected, kept) in answers {
        for piece in [1, 2, 7, answer.len()] {
            let client = server(answer.to_vec(), piece, false).await;
            for _ in 0..3 {
                let (_, body) = post(&client).await.unwrap();
                assert_eq!(body, expected, "{piece}: {}", String::from_utf8_lossy(answer));
            }
            assert_eq!(client.status().idle, kept, "{}", String::from_utf8_lossy(answer));
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_with_its_answer_is_not_kept() {
    let answers: [(&[u8], &[u8]); 3] = [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    ];
    for (answer, expected) in answers {
        let client = server(answer.to_vec(), answer.len(), true).await;
        for _ in 0..2 {
            assert_eq!(post(&client).await.unwrap().1, expected);
        }
        assert_eq!(client.status(), crate::PoolStatus { in_use: 0, idle: 0, max: 2 });
    }
}

/// GW-1: where an answer ends must not be open to two readings.
#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    let extension = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;{}\r\na\r\n", "x".repeat(5000));
    let trailers = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{}", "a: b\r\n".repeat(9000));
    let chunked = |rest: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{rest}");
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(20),
        "HTTP/2 200 OK\r\n\r\n".to_owned(),
        "SSH-2.0-x\r\n\r\n".to_owned(),
        chunked("5\nhello\r\n0\r\n\r\n"),
        chunked("5\r\nhelloX\r\n0\r\n\r\n"),
        chunked("0x5\r\nhello\r\n0\r\n\r\n"),
        chunked("-1\r\nhello\r\n0\r\n\r\n"),
        chunked("5 5\r\nhello\r\n0\r\n\r\n"),
        chunked("11111111111111111\r\nhello"),
        chunked("\r\nhello"),
        chunked("5\r\rx\r\nhello\r\n"),
        chunked("0\r\nno name\r\n\r\n"),
        long,
        many,
        extension,
        trailers,
    ];
    for answer in answers {
        let client = server(answer.clone().into_bytes(), 4096, false).await;
        let shown = answer.chars().take(90).collect::<String>();
        let outcome = tokio::time::timeout(Duration::from_secs(20), post(&client)).await;
        assert!(matches!(outcome, Ok(Err(EgressError::Broken { .. }))), "{shown}: {outcome:?}");
        assert_eq!(client.status(), crate::PoolStatus { in_use: 0, idle: 0, max: 2 }, "{shown}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_wherever_it_does() {
    let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for answer in [&whole[..], &chunked[..]] {
        for cut in 0..answer.len() {
            let client = server(answer[..cut].to_vec(), answer.len(), true).await;
            let outcome = post(&client).await;
            assert!(matches!(outcome, Err(EgressError::Broken { .. })), "cut at {cut}: {outcome:?}");
            assert_eq!(client.status().idle, 0);
        }
    }
}

/// What a server says unasked must not be taken for the answer to the next request.
#[tokio::test]
async fn what_comes_behind_an_answer_belongs_to_nobody() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    let client = server(answer.to_vec(), answer.len(), false).await;
    for _ in 0..5 {
        assert_eq!(post(&client).await.unwrap().1, &b"1"[..]);
    }
}

#[tokio::test]
async fn large_bodies_go_and_come_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while let Some(body) = request(&mut stream).await {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
        }
    });
    let client = Client::new(Target::parse(&url).unwrap(), LIMITS);
    for size in [0, 1, 16 * 1024, 16 * 1024 + 1, 5 << 20] {
        let body: Vec<u8> = (0..size).map(|at| b'a' + u8::try_from(at % 23).unwrap()).collect();
        let answer = client.send(Method::POST, HeaderMap::new(), body.clone().into()).await.unwrap();
        assert!(collect(answer.into_body(), 8 << 20).await.unwrap() == body, "{size}");
    }
}

/// A server that refuses before it has read everything is heard, and its connection not used again.
#[tokio::test]
async fn an_answer_before_the_request_is_whole_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0u8; 1000];
        stream.read_exact(&mut some).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig").await.unwrap();
        stream
    });
    let client = Client::new(Target::parse(&url).unwrap(), LIMITS);
    let body = Bytes::from(vec![b'x'; 64 << 20]);
    let answer = client.send(Method::POST, HeaderMap::new(), body).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(collect(answer.into_body(), 100).await.unwrap(), &b"big"[..]);
    assert_eq!(client.status().idle, 0);
    drop(served.await.unwrap());
}
