//! A bare HTTP server: each request is handed to the test, which writes the answer byte for byte; it ends with the test.

use std::future::Future;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    head: String,
    pub(crate) body: String,
}

impl Asked {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &&str| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
        self.head.lines().find(line)?.split_once(':').map(|(_, value)| value.trim())
    }

    /// The message in its body.
    pub(crate) fn message(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Serves each connection with one call of `answer`.
pub(crate) async fn told<F>(answer: impl Fn(Asked, TcpStream) -> F + Clone + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                if let Some(asked) = read(&mut stream).await {
                    answer(asked, stream).await;
                }
            });
        }
    });
    address
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head_end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut words = head.split_whitespace();
            let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
            let mut asked = Asked { method, path, head, body: String::new() };
            let length: usize = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                asked.body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
                return Some(asked);
            }
        }
        if bytes.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Writes; a peer that has gone is no fault of the test's.
pub(crate) async fn say(stream: &mut TcpStream, text: &str) -> bool {
    stream.write_all(text.as_bytes()).await.is_ok()
}

/// A whole answer, after which the connection is closed.
pub(crate) async fn reply(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
    say(stream, &format!("{head}{body}")).await;
}

/// A JSON answer.
pub(crate) async fn reply_json(stream: &mut TcpStream, body: &Value) {
    reply(stream, "200 OK", "content-type: application/json\r\nmcp-session-id: s1\r\n", &body.to_string()).await;
}

/// Begins a stream of events, which ends with its connection.
pub(crate) async fn begin_events(stream: &mut TcpStream) {
    say(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n").await;
}
