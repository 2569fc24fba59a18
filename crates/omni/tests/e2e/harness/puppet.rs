//! A server of the test's own: it says what the test tells it to, when it tells it, and tells what it hears.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::harness::{in_time, until};

/// Events and calls that wait.
const WAITING_MAX: usize = 64;

/// The server, on a port, in the revision 2025-11-25. It has one tool, `wait`.
pub(crate) struct Puppet {
    url: String,
    calls: mpsc::Receiver<PuppetCall>,
    cancelled: Arc<Mutex<Vec<Value>>>,
    serving: tokio::task::JoinHandle<()>,
}

/// A call of its tool.
#[derive(Debug)]
pub(crate) struct PuppetCall {
    id: Value,
    token: Value,
    events: mpsc::Sender<Bytes>,
    cancelled: Arc<Mutex<Vec<Value>>>,
}

enum Answer {
    Whole(Full<Bytes>),
    Stream(mpsc::Receiver<Bytes>),
}

impl Puppet {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let (called, calls) = mpsc::channel(WAITING_MAX);
        let cancelled = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&cancelled);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (called, heard) = (called.clone(), Arc::clone(&heard));
                let service = service_fn(move |request| answer(request, called.clone(), Arc::clone(&heard)));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, calls, cancelled, serving }
    }

    /// Its entry in `omni.yaml`.
    pub(crate) fn entry(&self) -> Value {
        json!({ "url": self.url })
    }

    /// The next call.
    pub(crate) async fn call(&mut self) -> PuppetCall {
        in_time("a call", self.calls.recv()).await.unwrap()
    }

    /// The next call, whenever it comes.
    pub(crate) async fn next_call(&mut self) -> PuppetCall {
        self.calls.recv().await.unwrap()
    }

    /// The calls that were cancelled.
    pub(crate) fn cancelled(&self) -> usize {
        self.cancelled.lock().unwrap().len()
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl PuppetCall {
    fn say(&self, message: &Value) {
        let _hub_gone = self.events.try_send(format!("data: {message}\n\n").into());
    }

    /// Says how far it is, if it was asked to.
    pub(crate) fn progress(&self, step: u64) {
        let params = json!({ "progressToken": self.token, "progress": step, "message": format!("step {step}") });
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
    }

    /// Answers.
    pub(crate) fn answer(self, text: &str) {
        let result = json!({ "content": [{ "type": "text", "text": text }] });
        self.say(&json!({ "jsonrpc": "2.0", "id": self.id, "result": result }));
    }

    /// Whether the hub said that it is not wanted any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.lock().unwrap().contains(&self.id)
    }

    /// Waits for that.
    pub(crate) async fn until_cancelled(&self) {
        until("the call is cancelled at the server", 30, async || {
            if self.is_cancelled() { Ok(()) } else { Err("it is not".to_owned()) }
        })
        .await;
    }
}

async fn answer(
    request: Request<Incoming>,
    called: mpsc::Sender<PuppetCall>,
    cancelled: Arc<Mutex<Vec<Value>>>,
) -> Result<Response<Answer>, Infallible> {
    let whole = |status: u16, body: String| {
        let body = Answer::Whole(Full::new(body.into()));
        Ok(Response::builder().status(status).header("content-type", "application/json").body(body).unwrap())
    };
    if request.method() != Method::POST {
        return whole(405, String::new());
    }
    let Ok(body) = request.into_body().collect().await else { return whole(400, String::new()) };
    let message: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
    let id = message["id"].clone();
    let result = |result: Value| whole(200, json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string());
    match message["method"].as_str().unwrap_or_default() {
        "initialize" => result(json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "puppet", "version": "1" },
        })),
        "tools/list" => {
            let tool = json!({ "name": "wait", "description": "Waits", "inputSchema": { "type": "object" } });
            result(json!({ "tools": [tool] }))
        }
        "tools/call" => {
            let (events, queue) = mpsc::channel(WAITING_MAX);
            let token = message["params"]["_meta"]["progressToken"].clone();
            let _test_over = called.send(PuppetCall { id, token, events, cancelled }).await;
            let stream = Response::builder().header("content-type", "text/event-stream");
            Ok(stream.body(Answer::Stream(queue)).unwrap())
        }
        "notifications/cancelled" => {
            cancelled.lock().unwrap().push(message["params"]["requestId"].clone());
            whole(202, String::new())
        }
        _ if id.is_null() => whole(202, String::new()),
        _ => whole(
            200,
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "Method not found" } })
                .to_string(),
        ),
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Stream(queue) => queue.poll_recv(cx).map(|next| next.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }
}
