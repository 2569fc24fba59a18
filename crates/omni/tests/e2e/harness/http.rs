//! HTTP as plain as it gets: one connection a request, events as they come.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::harness::in_time;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    /// The JSON-RPC messages in the body, whichever form it has.
    pub(crate) fn messages(&self) -> Vec<String> {
        if is_stream(&self.headers) {
            let mut buffer = BytesMut::from(&self.body[..]);
            let events = std::iter::from_fn(|| take_event(&mut buffer));
            return events.map(|event| event.data).filter(|data| !data.is_empty()).collect();
        }
        if self.body.is_empty() { Vec::new() } else { vec![String::from_utf8(self.body.to_vec()).unwrap()] }
    }
}

/// A request with these headers.
pub(crate) fn request(
    method: Method,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        builder = builder.header("host", address.to_string());
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).unwrap()
}

/// Sends `request` on a connection of its own; the answer's body is still to come.
pub(crate) async fn begin(address: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    in_time("an HTTP request", sender.send_request(request)).await.unwrap()
}

/// Sends `request` and reads the whole answer.
pub(crate) async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    whole(begin(address, request).await).await
}

/// The rest of an answer that began.
pub(crate) async fn whole(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = in_time("the body of an answer", body.collect()).await.unwrap().to_bytes();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

/// GET.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(address, request(Method::GET, address, path, headers, "")).await
}

/// The events of an answer, as they come.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    buffer: BytesMut,
}

impl Events {
    pub(crate) fn of(response: Response<Incoming>) -> Self {
        assert_eq!(response.status(), 200);
        assert!(is_stream(response.headers()), "no stream of events: {:?}", response.headers());
        Self { body: response.into_body(), buffer: BytesMut::new() }
    }

    /// The data of the next event that has any; `None` when the stream ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            let event = self.event().await?;
            if !event.data.is_empty() {
                return Some(event.data);
            }
        }
    }

    /// The next event, comments aside; `None` when the stream ended.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = take_event(&mut self.buffer) {
                return Some(event);
            }
            match in_time("an event", self.body.frame()).await {
                Some(Ok(frame)) => self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next event with data: its type, if it says one, and its data.
    pub(crate) async fn typed(&mut self) -> Option<(Option<String>, String)> {
        let event = self.event().await?;
        Some((event.kind, event.data))
    }

    /// The next event's message.
    pub(crate) async fn message(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.next().await.expect("the stream ended")).unwrap()
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// One event.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) kind: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<String>,
    pub(crate) data: String,
}

/// Takes one event from the front of `buffer`, once it is whole.
fn take_event(buffer: &mut BytesMut) -> Option<Event> {
    loop {
        let end = buffer.windows(2).position(|two| two == b"\n\n")?;
        let taken = buffer.split_to(end + 2);
        let text = std::str::from_utf8(&taken).unwrap();
        let field = |name: &str| {
            let values = text.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(':'));
            let values: Vec<&str> = values.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect();
            (!values.is_empty()).then(|| values.join("\n"))
        };
        let event = Event {
            kind: field("event"),
            id: field("id"),
            retry: field("retry"),
            data: field("data").unwrap_or_default(),
        };
        if event.id.is_some() || !event.data.is_empty() {
            return Some(event);
        }
    }
}
