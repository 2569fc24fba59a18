//! An MCP client that hides nothing: what is sent and what comes back is text.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use ::http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::harness::Hub;
use crate::harness::http::{self, Answer, Events};

/// The revision of each era that this client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// 2025-11-25, in a session.
    Legacy,
    /// 2026-07-28.
    Modern,
}

impl Era {
    pub(crate) const BOTH: [Self; 2] = [Self::Legacy, Self::Modern];

    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }
}

/// A client at one endpoint.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    path: String,
    era: Era,
    /// The session, in the legacy era.
    pub(crate) session: Option<String>,
    /// What it declares that it can do.
    capabilities: Value,
    next_id: AtomicU64,
}

/// The `_meta` that 2026-07-28 requires.
pub(crate) fn modern_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "omni-e2e", "version": "1" },
    })
}

impl Client {
    /// A client at `path` of `hub`; a legacy one has its session open.
    pub(crate) async fn open(hub: &Hub, path: &str, era: Era) -> Self {
        Self::able(hub, path, era, json!({})).await
    }

    /// The same, declaring `capabilities`.
    pub(crate) async fn able(hub: &Hub, path: &str, era: Era, capabilities: Value) -> Self {
        Self::at(hub.address, path, era, capabilities).await
    }

    /// The same at any server that speaks Streamable HTTP.
    pub(crate) async fn at(address: SocketAddr, path: &str, era: Era, capabilities: Value) -> Self {
        let path = path.to_owned();
        let mut client = Self { address, path, era, session: None, capabilities, next_id: AtomicU64::new(1) };
        if era == Era::Legacy {
            let info = json!({ "name": "omni-e2e", "version": "1" });
            let params =
                json!({ "protocolVersion": era.version(), "capabilities": client.capabilities, "clientInfo": info });
            let answer = client.ask("initialize", params).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            client.session = Some(answer.headers["mcp-session-id"].to_str().unwrap().to_owned());
            let opened: Value = serde_json::from_str(&answer.messages()[0]).unwrap();
            assert_eq!(opened["result"]["protocolVersion"], era.version());
            let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            assert_eq!(client.post(&initialized.to_string(), &[]).await.status, 202);
        }
        client
    }

    /// The HTTP request of `body`, with the headers that this client's revision wants.
    pub(crate) fn request(&self, body: &str, extra: &[(&str, &str)]) -> Request<Full<bytes::Bytes>> {
        let mut headers = vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        if self.era == Era::Modern || self.session.is_some() {
            headers.push(("mcp-protocol-version", self.era.version()));
        }
        headers.extend(self.session.as_deref().map(|session| ("mcp-session-id", session)));
        headers.retain(|(name, _)| !extra.iter().any(|(other, _)| name == other));
        headers.extend_from_slice(extra);
        http::request(Method::POST, self.address, &self.path, &headers, body.to_owned())
    }

    /// Sends `body` as it is.
    pub(crate) async fn post(&self, body: &str, extra: &[(&str, &str)]) -> Answer {
        http::send(self.address, self.request(body, extra)).await
    }

    /// A request's body, and the headers that mirror it.
    pub(crate) fn message(&self, method: &str, mut params: Value) -> (String, Vec<(&'static str, String)>) {
        let mut headers = Vec::new();
        if self.era == Era::Modern {
            headers.push(("mcp-method", method.to_owned()));
            let named = match method {
                "resources/read" => &params["uri"],
                "tasks/get" | "tasks/update" | "tasks/cancel" => &params["taskId"],
                _ => &params["name"],
            };
            headers.extend(named.as_str().map(|name| ("mcp-name", name.to_owned())));
            for (key, value) in modern_meta().as_object().unwrap() {
                params["_meta"][key] = value.clone();
            }
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        (json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string(), headers)
    }

    /// Sends a request; the whole answer.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Answer {
        let (body, headers) = self.message(method, params);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post(&body, &headers).await
    }

    /// Sends a request whose answer is a stream of events.
    pub(crate) async fn listen(&self, method: &str, params: Value) -> Events {
        let (body, headers) = self.message(method, params);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Events::of(http::begin(self.address, self.request(&body, &headers)).await)
    }

    /// The session's own stream.
    pub(crate) async fn stream(&self) -> Events {
        let session = self.session.as_deref().expect("a session");
        let headers = [("accept", "text/event-stream"), ("mcp-session-id", session)];
        Events::of(http::begin(self.address, http::request(Method::GET, self.address, &self.path, &headers, "")).await)
    }

    /// Ends the session; the status.
    pub(crate) async fn delete(&self) -> u16 {
        let headers = [("mcp-session-id", self.session.as_deref().expect("a session"))];
        http::send(self.address, http::request(Method::DELETE, self.address, &self.path, &headers, "")).await.status
    }

    /// The last message of the answer: the response.
    pub(crate) async fn response(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        let messages = answer.messages();
        let last = messages.last().unwrap_or_else(|| panic!("{method}: no message in {answer:?}"));
        serde_json::from_str(last).unwrap()
    }

    /// The result; an error is none.
    pub(crate) async fn result(&self, method: &str, params: Value) -> Value {
        let mut response = self.response(method, params.clone()).await;
        assert!(response.get("error").is_none(), "{method} {params}: {response}");
        response["result"].take()
    }

    /// The error; a result is none.
    pub(crate) async fn error(&self, method: &str, params: Value) -> Value {
        let mut response = self.response(method, params.clone()).await;
        assert!(response.get("result").is_none(), "{method} {params}: {response}");
        response["error"].take()
    }

    /// Calls a tool; its result.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let result = self.result("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result
    }

    /// Calls a tool; the text of its first block.
    pub(crate) async fn text(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{tool}: no text in {result}")).to_owned()
    }

    /// All pages of a list; `key` of each item, and how many pages there were.
    pub(crate) async fn list(&self, method: &str, member: &str, key: &str) -> (Vec<String>, usize) {
        let (mut found, mut params, mut pages) = (Vec::new(), json!({}), 0);
        loop {
            let result = self.result(method, params).await;
            pages += 1;
            let items = result[member].as_array().unwrap_or_else(|| panic!("{method}: no {member} in {result}"));
            found.extend(items.iter().map(|item| item[key].as_str().unwrap().to_owned()));
            let Some(cursor) = result["nextCursor"].as_str() else { return (found, pages) };
            params = json!({ "cursor": cursor });
        }
    }

    /// The names of all tools.
    pub(crate) async fn tools(&self) -> Vec<String> {
        self.list("tools/list", "tools", "name").await.0
    }
}
