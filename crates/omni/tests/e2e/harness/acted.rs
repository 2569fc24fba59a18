//! A server behind HTTP whose every answer a test writes, in the test's own process.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    /// `null` where the body was empty.
    pub(crate) message: Value,
}

impl Asked {
    /// The method of the message.
    pub(crate) fn method(&self) -> &str {
        self.message["method"].as_str().unwrap_or_default()
    }
}

/// What it is answered: a status and a body.
pub(crate) struct Said(u16, Value);

impl Said {
    /// A result.
    pub(crate) fn result(asked: &Asked, result: Value) -> Self {
        Self(200, json!({ "jsonrpc": "2.0", "id": asked.message["id"], "result": result }))
    }

    /// An error under a status.
    pub(crate) fn error(asked: &Asked, status: u16, code: i64, message: &str) -> Self {
        let error = json!({ "code": code, "message": message });
        Self(status, json!({ "jsonrpc": "2.0", "id": asked.message["id"], "error": error }))
    }
}

/// The server; it ends with the test.
pub(crate) struct Acted {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Acted {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (heard, answer) = (Arc::clone(&asked), Arc::new(answer));
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                let service = service_fn(move |request| serve(request, Arc::clone(&heard), Arc::clone(&answer)));
                let http1 = hyper::server::conn::http1::Builder::new();
                connections.spawn(http1.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, asked, serving }
    }

    /// Its entry in `omni.yaml`.
    pub(crate) fn entry(&self) -> Value {
        json!({ "url": format!("http://{}/mcp", self.address) })
    }

    /// The requests of `method` that came.
    pub(crate) fn asked(&self, method: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.method() == method).cloned().collect()
    }
}

impl Drop for Acted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What a server of 2026-07-28 says of itself, and its lists: `tools` are its tools.
pub(crate) fn modern_hello(asked: &Asked, capabilities: &Value, tools: &Value) -> Option<Said> {
    Some(match asked.method() {
        "server/discover" => Said::result(
            asked,
            json!({ "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities,
                "ttlMs": 0, "cacheScope": "private" }),
        ),
        "tools/list" => Said::result(
            asked,
            json!({ "resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private" }),
        ),
        "initialize" => Said::error(asked, 404, -32601, "Method not found"),
        _ => return None,
    })
}

async fn serve(
    request: Request<Incoming>,
    heard: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<impl Fn(&Asked) -> Said>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked = Asked { headers: head.headers, message: serde_json::from_slice(&body).unwrap_or_default() };
    heard.lock().unwrap().push(asked.clone());
    let Said(status, body) = answer(&asked);
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(body.to_string().into())).unwrap())
}
