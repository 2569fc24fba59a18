//! A server behind HTTP that does to the byte what a test tells it, in the test's own process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::Era;

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It serves the next request.
    Keep,
    /// It is closed in order.
    Close,
    /// It is reset.
    Reset,
    /// It stays open and silent until the other side closes it.
    Hold,
}

/// What it does when the tool `fault` is called.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// What a good server does.
    Good,
    /// Writes these bytes, `$ID` in them replaced by the request's id, with a pause after each piece.
    Raw { pieces: Vec<Vec<u8>>, pause: Duration, end: End },
    /// Writes the first bytes once and the others without end.
    Endless(Vec<u8>, Vec<u8>),
    /// Resets the connection when so many bytes of the request were read.
    ResetReading(usize),
    /// Resets the connection when so many bytes of a good answer were written.
    ResetWriting(usize),
}

impl Act {
    /// Writes `bytes` and then does `end`.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>, end: End) -> Self {
        Self::Raw { pieces: vec![bytes.into()], pause: Duration::ZERO, end }
    }

    /// A whole answer with this status line, headers and body; its length is right.
    pub(crate) fn http(status: &str, headers: &str, body: &str) -> Self {
        Self::Raw {
            pieces: vec![format!("HTTP/1.1 {status}\r\n{headers}$LENGTH\r\n{body}").into_bytes()],
            pause: Duration::ZERO,
            end: End::Keep,
        }
    }

    /// Never answers.
    pub(crate) fn never() -> Self {
        Self::raw("", End::Hold)
    }
}

/// The server; it ends with the test's runtime.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: Option<tokio::task::JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    era: Mutex<Era>,
    /// Whether good answers are streams of events.
    streams: bool,
    act: Mutex<Act>,
    /// Requests of every kind that came.
    requests: AtomicUsize,
    /// Bodies of calls of `fault` that came whole and were not refused.
    calls: Mutex<Vec<String>>,
    session: AtomicUsize,
    /// Told when a held call may be answered.
    release: tokio::sync::watch::Sender<u64>,
}

impl Scripted {
    pub(crate) async fn start(era: Era, streams: bool) -> Self {
        let state = State {
            era: Mutex::new(era),
            streams,
            act: Mutex::new(Act::Good),
            requests: AtomicUsize::new(0),
            calls: Mutex::default(),
            session: AtomicUsize::new(1),
            release: tokio::sync::watch::Sender::new(0),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut server = Self { address: listener.local_addr().unwrap(), state: Arc::new(state), accepting: None };
        server.accept(listener);
        server
    }

    fn accept(&mut self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        self.accepting = Some(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&state)));
            }
        }));
    }

    /// Its entry in `omni.yaml`.
    pub(crate) fn entry(&self) -> Value {
        json!({ "url": format!("http://{}/mcp", self.address) })
    }

    /// What it does from now on when `fault` is called.
    pub(crate) fn does(&self, act: Act) {
        *lock(&self.state.act) = act;
    }

    /// From now on it speaks this era and no other, as a server does that was replaced at its address.
    pub(crate) fn speaks(&self, era: Era) {
        *lock(&self.state.era) = era;
    }

    /// Forgets its session, as a server does that was started anew.
    pub(crate) fn forgets(&self) {
        self.state.session.fetch_add(1, Ordering::SeqCst);
    }

    /// Requests of every kind that came.
    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Bodies of calls of `fault` that came whole and were not refused.
    pub(crate) fn calls(&self) -> Vec<String> {
        lock(&self.state.calls).clone()
    }

    /// Lets what is held be answered as a good server would.
    pub(crate) fn release(&self) {
        self.state.release.send_modify(|releases| *releases += 1);
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// A request's head and body, or nothing when the connection ended.
struct Request {
    head: String,
    body: Vec<u8>,
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let _late_is_no_fault = stream.set_nodelay(true);
    while let Some(request) = read(&mut stream, &state).await {
        state.requests.fetch_add(1, Ordering::SeqCst);
        let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let is_fault = message["method"] == "tools/call" && message["params"]["name"] == "fault";
        let good = good(&request, &message, &state);
        if !is_fault {
            if stream.write_all(&good).await.is_err() {
                return;
            }
            continue;
        }
        if good.starts_with(b"HTTP/1.1 200") {
            lock(&state.calls).push(String::from_utf8(request.body.clone()).unwrap());
        }
        let act = lock(&state.act).clone();
        if !perform(act, &mut stream, &state, &message, good).await {
            return;
        }
    }
}

/// `false` when the connection is over.
async fn perform(act: Act, stream: &mut TcpStream, state: &State, message: &Value, good: Vec<u8>) -> bool {
    match act {
        Act::Good | Act::ResetReading(_) => stream.write_all(&good).await.is_ok(),
        Act::ResetWriting(at) => {
            let _gone = stream.write_all(&good[..at.min(good.len())]).await;
            // What was written is to arrive before the reset, or else the reset is all that arrives.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let _gone = stream.set_zero_linger();
            false
        }
        Act::Endless(first, piece) => {
            let mut alive = stream.write_all(&filled(&first, message)).await.is_ok();
            while alive {
                alive = stream.write_all(&piece).await.is_ok();
            }
            false
        }
        Act::Raw { pieces, pause, end } => {
            for piece in &pieces {
                if stream.write_all(&filled(piece, message)).await.is_err() {
                    return false;
                }
                tokio::time::sleep(pause).await;
            }
            match end {
                End::Keep => true,
                End::Close => false,
                End::Reset => {
                    let _gone = stream.set_zero_linger();
                    false
                }
                End::Hold => {
                    let mut released = state.release.subscribe();
                    let mut byte = [0];
                    tokio::select! {
                        _gone_or_more = stream.peek(&mut byte) => false,
                        _ = released.changed() => stream.write_all(&good).await.is_ok(),
                    }
                }
            }
        }
    }
}

fn filled(piece: &[u8], message: &Value) -> Vec<u8> {
    if piece.len() > 1 << 16 || std::str::from_utf8(piece).is_err() {
        return piece.to_vec();
    }
    let mut text = String::from_utf8_lossy(piece).replace("$ID", &message["id"].to_string());
    if let Some((head, body)) = text.split_once("$LENGTH\r\n") {
        text = format!("{head}content-length: {}\r\n\r\n{}", body.len(), body);
    }
    text.into_bytes()
}

async fn read(stream: &mut TcpStream, state: &State) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    if stream.peek(&mut byte).await.ok()? == 0 {
        return None;
    }
    let limit = match *lock(&state.act) {
        Act::ResetReading(at) => at,
        _ => usize::MAX,
    };
    loop {
        if bytes.len() >= limit {
            // Once: the next request finds a good server.
            *lock(&state.act) = Act::Good;
            let _gone = stream.set_zero_linger();
            return None;
        }
        if let Some(request) = whole(&bytes) {
            if limit != usize::MAX {
                *lock(&state.act) = Act::Good;
            }
            return Some(request);
        }
        let mut piece = [0; 4096];
        let room = piece.len().min(limit - bytes.len());
        match stream.read(&mut piece[..room]).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

fn whole(bytes: &[u8]) -> Option<Request> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    (bytes.len() >= end + length).then(|| Request { head, body: bytes[end..end + length].to_vec() })
}

/// What a good server answers.
fn good(request: &Request, message: &Value, state: &State) -> Vec<u8> {
    let era = *lock(&state.era);
    if !request.head.starts_with("post") {
        return answer("405 Method Not Allowed", "", "");
    }
    let method = message["method"].as_str().unwrap_or_default();
    let says_modern = request.head.contains("mcp-protocol-version: 2026-07-28");
    if era == Era::Modern && !says_modern {
        let error = json!({ "code": -32022, "message": "Unsupported protocol version", "data": { "supported": ["2026-07-28"] } });
        let body = json!({ "jsonrpc": "2.0", "id": message["id"], "error": error });
        return answer("400 Bad Request", "content-type: application/json\r\n", &body.to_string());
    }
    let in_session = request.head.contains(&format!("mcp-session-id: s{}\r", state.session.load(Ordering::SeqCst)));
    if era == Era::Legacy && !in_session && method != "initialize" {
        let error = json!({ "code": -32000, "message": "Bad Request: Server not initialized" });
        let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
        return answer("400 Bad Request", "content-type: application/json\r\n", &body.to_string());
    }
    if message.get("id").is_none() {
        return answer("202 Accepted", "", "");
    }
    let tools = ["echo", "fault"].map(|name| json!({ "name": name, "inputSchema": { "type": "object" } }));
    let info = json!({ "name": "scripted", "version": "1" });
    let capabilities = json!({ "tools": {} });
    let mut result = match method {
        "initialize" => json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info }),
        "server/discover" => json!({ "supportedVersions": ["2026-07-28"], "capabilities": capabilities }),
        "tools/list" => json!({ "tools": tools }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": "good" }] }),
        _ => {
            let error = json!({ "code": -32601, "message": "Method not found" });
            let body = json!({ "jsonrpc": "2.0", "id": message["id"], "error": error });
            return answer("404 Not Found", "content-type: application/json\r\n", &body.to_string());
        }
    };
    if era == Era::Modern {
        result["resultType"] = json!("complete");
        result["_meta"] = json!({ "io.modelcontextprotocol/serverInfo": info });
    }
    if era == Era::Modern && matches!(method, "tools/list" | "server/discover") {
        (result["ttlMs"], result["cacheScope"]) = (json!(0), json!("private"));
    }
    let body = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string();
    let session = if method == "initialize" {
        format!("mcp-session-id: s{}\r\n", state.session.load(Ordering::SeqCst))
    } else {
        String::new()
    };
    if !state.streams || method != "tools/call" {
        return answer("200 OK", &format!("content-type: application/json\r\n{session}"), &body);
    }
    let event = format!("event: message\ndata: {body}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n0\r\n\r\n", event.len());
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{chunk}")
        .into_bytes()
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
