//! A client that can be asked: it writes down every message of a conversation, answers what servers ask in the middle of it,
//! and speaks each transport.

use std::net::SocketAddr;

use ::http::Method;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::harness::client::modern_meta;
use crate::harness::http::{self, Events};
use crate::harness::{Client, Era, in_time};

/// Rounds of questions within a call.
const ROUNDS_MAX: usize = 8;

/// How it reaches the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Sse,
    WebSocket,
}

enum Wire {
    Http(Box<Client>),
    /// The stream, and where messages are posted to.
    Sse(Events, String),
    WebSocket(Box<WebSocketStream<TcpStream>>),
}

/// The client.
pub(crate) struct Talker {
    wire: Wire,
    address: SocketAddr,
    era: Era,
    next_id: u64,
}

/// What it declares.
pub(crate) fn able() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} })
}

/// What it answers: its user is called Ada, its model knows capitals, and it has two roots. A page it does not visit.
fn answer(question: &Value) -> Value {
    let params = &question["params"];
    match question["method"].as_str().unwrap() {
        "elicitation/create" if params["mode"] == "url" => json!({ "action": "decline" }),
        "elicitation/create" => {
            let fill = |(name, schema): (&String, &Value)| {
                let value = match schema["type"].as_str().unwrap_or_default() {
                    "boolean" => json!(true),
                    "integer" | "number" => json!(7),
                    "array" => json!(["option1"]),
                    _ => json!(format!("Ada's {name}")),
                };
                (name.clone(), value)
            };
            let fields = params["requestedSchema"]["properties"].as_object().unwrap();
            json!({ "action": "accept", "content": fields.iter().map(fill).collect::<Map<_, _>>() })
        }
        "sampling/createMessage" => {
            json!({ "role": "assistant", "model": "m", "stopReason": "endTurn", "content": { "type": "text", "text": "Paris" } })
        }
        "roots/list" => json!({ "roots": [{ "uri": "file:///one", "name": "one" }, { "uri": "file:///two" }] }),
        other => panic!("{other} is no question to a client"),
    }
}

/// The same call again, with the answers to what was asked.
fn answered(mut params: Value, result: &Value) -> Value {
    let questions = result["inputRequests"].as_object().unwrap();
    params["inputResponses"] = questions.iter().map(|(key, asked)| (key.clone(), answer(asked))).collect();
    if let Some(state) = result.get("requestState") {
        params["requestState"] = state.clone();
    }
    params
}

/// What is chance in a message, left out: whoever asks numbers its questions, asks for progress of them, and seals its states.
fn plain(mut message: Value) -> Value {
    message["id"] = match (message.get("id"), message.get("method")) {
        (Some(_), Some(_)) => json!("(of the question)"),
        (Some(_), None) => json!("(of the request)"),
        (None, _) => json!("(none)"),
    };
    if message["id"] == "(of the question)" {
        message = without_chance(message);
    }
    if let Some(state) = message.pointer_mut("/result/requestState") {
        *state = json!("(sealed)");
    }
    // Names beside questions, so that each can differ alone.
    if let Some(requests) = message.pointer_mut("/result/inputRequests") {
        let all = requests.as_object().unwrap();
        let mut names: Vec<&String> = all.keys().collect();
        names.sort_unstable();
        let mut asked: Vec<Value> = all.values().cloned().map(without_chance).collect();
        asked.sort_by_key(|question| question["method"].to_string());
        *requests = json!({ "names": names, "asked": asked });
    }
    message
}

/// A question without a progress token, and without parameters that say nothing.
fn without_chance(mut question: Value) -> Value {
    let Some(params) = question.get_mut("params").and_then(Value::as_object_mut) else { return question };
    if let Some(meta) = params.get_mut("_meta").and_then(Value::as_object_mut) {
        meta.remove("progressToken");
        if meta.is_empty() {
            params.remove("_meta");
        }
    }
    if params.is_empty() {
        question.as_object_mut().unwrap().remove("params");
    }
    question
}

/// Questions that stand side by side come in no promised order.
fn ordered(mut heard: Vec<Value>) -> Vec<Value> {
    for run in heard.chunk_by_mut(|a, b| a["id"] == "(of the question)" && a["id"] == b["id"]) {
        run.sort_by_key(|question| question["method"].to_string());
    }
    heard
}

impl Talker {
    /// Opens the conversation.
    pub(crate) async fn open(address: SocketAddr, path: &str, transport: Transport, era: Era) -> Self {
        let wire = match transport {
            Transport::Http => Wire::Http(Box::new(Client::at(address, path, era, able()).await)),
            Transport::Sse => {
                let headers = [("accept", "text/event-stream")];
                let asked = http::request(Method::GET, address, path, &headers, "");
                let mut events = Events::of(http::begin(address, asked).await);
                let (_, endpoint) = events.typed().await.expect("the endpoint");
                Wire::Sse(events, endpoint)
            }
            Transport::WebSocket => {
                let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
                request.headers_mut().insert("sec-websocket-protocol", "mcp".parse().unwrap());
                let stream = TcpStream::connect(address).await.unwrap();
                let upgraded = in_time("the upgrade", tokio_tungstenite::client_async(request, stream)).await;
                Wire::WebSocket(Box::new(upgraded.unwrap().0))
            }
        };
        let mut talker = Self { wire, address, era, next_id: 1 };
        if era == Era::Legacy && transport != Transport::Http {
            let info = json!({ "name": "omni-e2e", "version": "1" });
            let params = json!({ "protocolVersion": era.version(), "capabilities": able(), "clientInfo": info });
            let heard = talker.once("initialize", &params).await;
            assert_eq!(heard.last().unwrap()["result"]["protocolVersion"], era.version());
            talker.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        }
        talker
    }

    /// Sends a message that has no answer.
    pub(crate) async fn say(&mut self, message: &Value) {
        match &mut self.wire {
            Wire::Http(client) => assert_eq!(client.post(&message.to_string(), &[]).await.status, 202),
            Wire::Sse(_, endpoint) => {
                let headers = [("content-type", "application/json")];
                let request = http::request(Method::POST, self.address, endpoint, &headers, message.to_string());
                assert_eq!(http::send(self.address, request).await.status, 202);
            }
            Wire::WebSocket(socket) => socket.send(Message::text(message.to_string())).await.unwrap(),
        }
    }

    /// The next message of a channel.
    async fn next(&mut self) -> Value {
        match &mut self.wire {
            Wire::Http(_) => panic!("there each request has a stream of its own"),
            Wire::Sse(events, _) => events.message().await,
            Wire::WebSocket(socket) => {
                let next = async {
                    loop {
                        match socket.next().await.expect("it closed").unwrap() {
                            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                            Message::Ping(_) | Message::Pong(_) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                };
                in_time("a message", next).await
            }
        }
    }

    /// A request's messages to its answer, in all rounds that it takes.
    pub(crate) async fn ask(&mut self, method: &str, params: &Value) -> Vec<Value> {
        let (mut heard, mut params) = (Vec::new(), params.clone());
        for _ in 0..ROUNDS_MAX {
            let round = self.once(method, &params).await;
            let result = round.last().unwrap()["result"].clone();
            heard.extend(round);
            if result["resultType"] != "input_required" {
                return ordered(heard.into_iter().map(plain).collect());
            }
            params = answered(params, &result);
        }
        panic!("{method} asks without end: {heard:?}");
    }

    /// One round: what comes up to the answer, with questions answered on the way.
    async fn once(&mut self, method: &str, params: &Value) -> Vec<Value> {
        if let Wire::Http(client) = &self.wire {
            return on_a_stream(client, self.address, method, params.clone()).await;
        }
        let id = self.next_id;
        self.begin(method, params).await;
        let mut heard = Vec::new();
        loop {
            let message = self.next().await;
            if is_of_a_list(&message) {
                continue;
            }
            if message.get("method").is_some() && message.get("id").is_some() {
                let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": answer(&message) });
                self.say(&reply).await;
            }
            let done = message.get("method").is_none() && message["id"] == id;
            heard.push(message);
            if done {
                return heard;
            }
        }
    }

    /// Sends a request on a channel, and does not wait.
    async fn begin(&mut self, method: &str, params: &Value) {
        let mut params = params.clone();
        if self.era == Era::Modern {
            for (key, value) in modern_meta().as_object().unwrap() {
                params["_meta"][key] = value.clone();
            }
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = able();
        }
        let message = json!({ "jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params });
        self.next_id += 1;
        self.say(&message).await;
    }

    /// On a channel: a call that asks, and is taken back instead of answered; whether anything is said of it before the next
    /// request is answered.
    pub(crate) async fn take_back(&mut self, method: &str, params: &Value) -> bool {
        let id = self.next_id;
        self.begin(method, params).await;
        while self.next().await["method"] != "elicitation/create" {}
        let why = json!({ "requestId": id, "reason": "not wanted any more" });
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": why })).await;
        let next = self.next_id;
        self.begin("tools/list", &json!({})).await;
        let mut answered = false;
        loop {
            let message = self.next().await;
            if message.get("method").is_none() && message["id"] == next {
                return answered;
            }
            answered |= message.get("method").is_none() && message["id"] == id;
        }
    }
}

/// Lists change when a server has just come, which says nothing of the conversation.
fn is_of_a_list(message: &Value) -> bool {
    message["method"].as_str().is_some_and(|method| method.ends_with("/list_changed"))
}

/// The same over Streamable HTTP, where each request has its own stream, or an answer that is all there is.
async fn on_a_stream(client: &Client, address: SocketAddr, method: &str, params: Value) -> Vec<Value> {
    let (body, headers) = client.message(method, params);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let response = http::begin(address, client.request(&body, &headers)).await;
    let streams = response.headers()["content-type"].as_bytes().starts_with(b"text/event-stream");
    if !streams {
        return vec![http::whole(response).await.json()];
    }
    let mut events = Events::of(response);
    let mut heard = Vec::new();
    loop {
        let message = events.message().await;
        if message.get("method").is_some() && message.get("id").is_some() {
            let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": answer(&message) });
            assert_eq!(client.post(&reply.to_string(), &[]).await.status, 202);
        }
        let done = message.get("method").is_none();
        heard.push(message);
        if done {
            return heard;
        }
    }
}
