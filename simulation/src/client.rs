//! A simulated client of the hub: opens a session or comes without one, listens, calls, lists, lets go, cancels, leaves.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_hub::stage::{Channel, ClientHeaders, Received, SanitizedStream};
use omni_hub::{Reply, Scope, Session, dispatch};
use omni_types::Fault;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use crate::chance::Chance;
use crate::plan::CALL_WAIT_MAX;
use crate::world::World;

/// A call that is let go is let go before this.
const PATIENCE_MS: u64 = 4_000;
/// A call that was cancelled ends within this.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// How a call ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Refused,
    /// Not at all, which is wrong and has been noted.
    Lost,
}

/// A simulated client.
pub(crate) struct Client {
    world: Arc<World>,
    chance: Chance,
    pub(crate) name: String,
    session: Option<Arc<Session>>,
    listener: Option<AbortHandle>,
    heard: Arc<std::sync::atomic::AtomicUsize>,
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl Client {
    /// A client that comes in; one of an earlier revision opens its session. `None` when that failed, as it may.
    pub(crate) async fn come(world: &Arc<World>, name: String, modern: bool, chance: Chance) -> Option<Self> {
        let mut client =
            Self { world: Arc::clone(world), chance, name, session: None, listener: None, heard: Arc::default() };
        if !modern {
            let version = ["2025-03-26", "2025-06-18", "2025-11-25"][usize::try_from(client.chance.below(3)).ok()?];
            let info = json!({"name": client.name, "version": "1"});
            let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": info});
            let id = world.book.new_call();
            let opening = json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params});
            match client.within(CALL_WAIT_MAX, "initialize", client.send(&opening)).await? {
                Reply::Opened { session, .. } => client.session = Some(session),
                _ => {
                    world.book.wrong(format!("{}: no session was opened", client.name));
                    return None;
                }
            }
        }
        Some(client)
    }

    /// Messages about changed lists that it heard.
    pub(crate) fn heard(&self) -> usize {
        self.heard.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn received(&self, message: &Value) -> Received {
        let mut message = message.clone();
        if self.session.is_none() && message["method"] != "initialize" {
            let meta = &mut message["params"]["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        let calls = self.session.as_ref().map(|session| Arc::clone(&session.calls));
        let (session, headers) = (self.session.clone(), ClientHeaders::default());
        let body = Bytes::from(message.to_string());
        let sender = self.world.hub.local().clone();
        Received { body, scope: Scope::All, channel: Channel::Stdio, sender, session, calls, headers }
    }

    /// Boxed, for it is large.
    fn send(&self, message: &Value) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        let received = self.received(message);
        Box::pin(async move { dispatch(&self.world.hub, received).await })
    }

    async fn within<T>(&self, limit: Duration, what: &str, work: impl Future<Output = T>) -> Option<T> {
        let done = tokio::time::timeout(limit, work).await;
        if done.is_err() {
            self.world.book.wrong(format!("{}: {what} has no end after {} s", self.name, limit.as_secs()));
        }
        done.ok()
    }

    /// Listens to what belongs to no call, until it leaves.
    pub(crate) async fn listen(&mut self) {
        let (heard, book) = (Arc::clone(&self.heard), self.world.book.clone());
        if let Some(session) = self.session.clone() {
            self.world.hub.stream_opened(&session);
            let listener = tokio::spawn(async move {
                while let Some(message) = session.outbox.next().await {
                    if is_change(&message) {
                        heard.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
            self.listener = Some(listener.abort_handle());
            return;
        }
        let id = book.new_call();
        let params = json!({"notifications": {"toolsListChanged": true}});
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params});
        let reply = self.within(CALL_WAIT_MAX, "listening", self.send(&message)).await;
        let Some(Reply::Listening(mut stream)) = reply else {
            return book.wrong(format!("{}: it may not listen", self.name));
        };
        let listener = tokio::spawn(async move {
            while let Some(message) = stream.next().await {
                let of = parse(&message)["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
                if of != json!(id) {
                    book.wrong(format!("subscription {id} hears of subscription {of}"));
                }
                if is_change(&message) {
                    heard.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
        self.listener = Some(listener.abort_handle());
    }

    /// Calls one tool of one server; perhaps it does not wait for the answer.
    pub(crate) async fn call(&self) -> End {
        let book = &self.world.book;
        let call = book.new_call();
        let server = usize::try_from(self.chance.below(self.world.servers.len() as u64)).unwrap_or(0);
        let server = &self.world.servers[server].name;
        let mut params = json!({"name": format!("{server}__t0"), "arguments": {"call": call}});
        if self.chance.percent(60) {
            params["_meta"] = json!({"progressToken": format!("token {call}")});
        }
        let id = if self.chance.percent(50) { json!(call) } else { json!(format!("id {call}")) };
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        book.note(&format!("{} makes call {call} to {server}", self.name));
        let patience = self.chance.ms(PATIENCE_MS);
        let how = self.chance.below(100);
        let mut exchange = std::pin::pin!(self.exchange(&message, call, server));
        let end = match how {
            0..15 => match tokio::time::timeout(patience, exchange).await {
                Ok(end) => end,
                Err(_) => {
                    book.note(&format!("{} lets call {call} go", self.name));
                    self.world.abandoned(call);
                    End::Refused
                }
            },
            15..30 if self.session.is_some() => match tokio::time::timeout(patience, &mut exchange).await {
                Ok(end) => end,
                Err(_) => {
                    let cancel =
                        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
                    drop(self.send(&cancel).await);
                    book.note(&format!("{} cancels call {call}", self.name));
                    self.world.abandoned(call);
                    self.within(CANCEL_WAIT, "a cancelled call", exchange).await.unwrap_or(End::Lost)
                }
            },
            _ => exchange.await,
        };
        book.note(&format!("{}: call {call} is {end:?}", self.name));
        end
    }

    async fn exchange(&self, message: &Value, call: u64, server: &str) -> End {
        let what = format!("call {call}");
        let Some(reply) = self.within(CALL_WAIT_MAX, &what, self.send(message)).await else {
            return End::Lost;
        };
        match reply {
            Reply::Answer(answer) => {
                let (first, rest, _) = answer.into_parts();
                match rest {
                    None => self.answer(&first, message, &format!("{server}/t0/{call}")),
                    Some(rest) => self.follow(first, *rest, message, &format!("{server}/t0/{call}")).await,
                }
            }
            Reply::Failed { fault, id, .. } => {
                if id.as_deref().map(parse_text) != Some(message["id"].clone()) {
                    self.world.book.wrong(format!("{what} failed under the id {id:?}"));
                }
                self.refused(&fault)
            }
            other => {
                self.world.book.wrong(format!("{what} has an odd reply: {other:?}"));
                End::Lost
            }
        }
    }

    fn refused(&self, fault: &Fault) -> End {
        if fault.to_string().is_empty() {
            self.world.book.wrong(format!("{}: an error that says nothing", self.name));
        }
        End::Refused
    }

    /// What comes before the answer, and the answer.
    async fn follow(&self, first: Bytes, mut rest: SanitizedStream, message: &Value, text: &str) -> End {
        let mut before = vec![first];
        let end = loop {
            let Some(next) = self.within(CALL_WAIT_MAX, text, rest.next()).await else { break End::Lost };
            match next {
                Ok(Some((bytes, false))) => before.push(bytes),
                Ok(Some((bytes, true))) => break self.answer(&bytes, message, text),
                Ok(None) => {
                    self.world.book.wrong(format!("{text}: its stream ends without an answer"));
                    break End::Lost;
                }
                Err(fault) => break self.refused(&fault),
            }
        };
        for bytes in before {
            let progress = parse(&bytes);
            let token = &message["params"]["_meta"]["progressToken"];
            if progress["params"]["progressToken"] != *token
                || !text.ends_with(progress["params"]["message"].as_str().unwrap_or("?"))
            {
                self.world.book.wrong(format!("{text}: hears {progress}, its token is {token}"));
            }
        }
        end
    }

    fn answer(&self, bytes: &[u8], message: &Value, text: &str) -> End {
        let answer = parse(bytes);
        if answer["id"] != message["id"] {
            self.world.book.wrong(format!("{text}: the answer {answer} has another id than {}", message["id"]));
        }
        match (answer.get("result"), answer.get("error")) {
            (Some(result), None) if result["content"][0]["text"] == json!(text) => End::Answered,
            (None, Some(error)) if error["message"].as_str().is_some_and(|message| !message.is_empty()) => End::Refused,
            _ => {
                self.world.book.wrong(format!("{text}: the answer is {answer}"));
                End::Lost
            }
        }
    }

    /// Names of the tools that it is shown; `None` when it is told why not.
    pub(crate) async fn list(&self) -> Option<Vec<String>> {
        let id = self.world.book.new_call();
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": {}});
        let reply = self.within(CALL_WAIT_MAX, "a list", self.send(&message)).await?;
        let Reply::Answer(answer) = reply else { return None };
        let answer = parse(&answer.into_parts().0);
        let mut names: Vec<String> = answer["result"]["tools"]
            .as_array()?
            .iter()
            .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
            .collect();
        names.sort();
        Some(names)
    }

    /// It leaves, saying so or not.
    pub(crate) fn leave(self, politely: bool) {
        let Some(session) = &self.session else { return };
        if self.listener.is_some() {
            session.stream_closed();
        }
        if politely && !self.world.hub.end_session(session.id()) {
            self.world.book.wrong(format!("{}: its session is not there any more", self.name));
        }
    }
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| json!({"no": "JSON"}))
}

fn parse_text(text: &str) -> Value {
    parse(text.as_bytes())
}

fn is_change(message: &[u8]) -> bool {
    parse(message)["method"] == "notifications/tools/list_changed"
}
