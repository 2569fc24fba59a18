//! A simulated MCP server over HTTP, of the earlier revisions, of 2026-07-28, or of both: how it answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use crate::call;
use crate::conversation::{Body, empty, events, one};
use crate::plan::Speaks;
use crate::planted::Planted;
use crate::server::Server;
use crate::wire::Wire;

async fn answer(server: Arc<Server>, request: Request<Incoming>) -> Response<Body> {
    tokio::time::sleep(server.chance.ms(10)).await;
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let session = header("mcp-session-id");
    let known = session.as_ref().is_some_and(|id| server.knows(id));
    match head.method {
        Method::GET if known => {
            server.book.note(&format!("{} opens a stream in {}", server.name, session.as_deref().unwrap_or_default()));
            return stream(&server, None);
        }
        Method::DELETE if known => {
            server.book.note(&format!("{} closes {}", server.name, session.as_deref().unwrap_or_default()));
            server.closes(session.as_deref().unwrap_or_default());
            return empty(StatusCode::OK);
        }
        Method::POST => {}
        _ => return empty(if session.is_some() { StatusCode::NOT_FOUND } else { StatusCode::METHOD_NOT_ALLOWED }),
    }
    let Ok(body) = body.collect().await else { return empty(StatusCode::BAD_REQUEST) };
    let Ok(message) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        server.book.wrong(format!("{} was sent what is no JSON", server.name));
        return empty(StatusCode::BAD_REQUEST);
    };
    let modern = header("mcp-protocol-version").as_deref() == Some("2026-07-28");
    let (method, of) = (message["method"].as_str().unwrap_or("an answer"), session.as_deref().unwrap_or_default());
    server.book.note(&format!("{} hears {method} {of}", server.name));
    if modern {
        answer_modern(server, message).await
    } else {
        answer_legacy(server, message, session.filter(|_| known)).await
    }
}

async fn answer_modern(server: Arc<Server>, message: Value) -> Response<Body> {
    let id = message["id"].clone();
    if server.speaks == Speaks::Legacy {
        let error =
            json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "Server not initialized"}});
        return one(StatusCode::BAD_REQUEST, &error);
    }
    let hint = json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private"});
    let result = match message["method"].as_str().unwrap_or_default() {
        "server/discover" => {
            json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {"listChanged": true}}})
        }
        "tools/list" => listed(&server),
        "tools/call" => return call::answer(server, &message, None).await,
        "subscriptions/listen" => return stream(&server, Some(&id)),
        other => return unknown(&id, other),
    };
    let mut whole = result;
    whole.as_object_mut().into_iter().for_each(|whole| whole.extend(hint.as_object().cloned().unwrap_or_default()));
    one(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "result": whole}))
}

async fn answer_legacy(server: Arc<Server>, message: Value, session: Option<String>) -> Response<Body> {
    let id = message["id"].clone();
    let method = message["method"].as_str().unwrap_or_default();
    if server.speaks == Speaks::Modern {
        let error = json!({"code": -32022, "message": "too old", "data": {"supported": ["2026-07-28"]}});
        return one(StatusCode::BAD_REQUEST, &json!({"jsonrpc": "2.0", "id": id, "error": error}));
    }
    if method == "initialize" {
        let session = server.opens();
        let version = message["params"]["protocolVersion"].clone();
        let info = json!({"name": server.name, "version": "1"});
        let result =
            json!({"protocolVersion": version, "capabilities": {"tools": {"listChanged": true}}, "serverInfo": info});
        let mut response = one(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "result": result}));
        if let Ok(session) = session.parse() {
            response.headers_mut().insert("mcp-session-id", session);
        }
        return response;
    }
    let Some(session) = session else { return empty(StatusCode::NOT_FOUND) };
    let result = match method {
        "notifications/cancelled" => {
            let call = server.call_of(&session, &message["params"]["requestId"]);
            if let Some(call) = call.filter(|_| !server.plan.has(Planted::CancelUnheard)) {
                server.book.cancelled(call);
                server.asks_no_more(&session, call);
            }
            return empty(StatusCode::ACCEPTED);
        }
        "" => {
            server.is_answered(&session, &id, &message["result"]);
            return empty(StatusCode::ACCEPTED);
        }
        _ if id.is_null() => return empty(StatusCode::ACCEPTED),
        "tools/list" => listed(&server),
        "ping" => json!({}),
        "tools/call" => return call::answer(server, &message, Some(session)).await,
        other => return unknown(&id, other),
    };
    one(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

fn unknown(id: &Value, method: &str) -> Response<Body> {
    let error = json!({"code": -32601, "message": format!("no {method} here")});
    one(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

fn listed(server: &Server) -> Value {
    let tools: Vec<Value> =
        server.tools().iter().map(|name| json!({"name": name, "inputSchema": {"type": "object"}})).collect();
    json!({ "tools": tools })
}

/// A stream for what it says of its own accord; `subscription` is the id of the request that asked for it.
fn stream(server: &Server, subscription: Option<&Value>) -> Response<Body> {
    let (sender, receiver) = server.speaks_to();
    if let Some(id) = subscription {
        let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
        let params = json!({"_meta": meta, "notifications": {"toolsListChanged": true}});
        let message = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params});
        let _there_is_room = sender.try_send(Bytes::from(message.to_string()));
    }
    events(receiver)
}

/// Serves one connection to its end.
pub(crate) async fn serve(server: Arc<Server>, io: TokioIo<Wire>) {
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(answer(server, request).await) }
    });
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}
