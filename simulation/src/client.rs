//! A simulated client of the hub: opens a session or comes without one, listens, lists, idles, leaves (its calls: caller.rs).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_hub::stage::{Channel, ClientHeaders, Received};
use omni_hub::{Reply, Scope, Session, dispatch};
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use crate::chance::Chance;
use crate::plan::{CALL_WAIT_MAX, SESSION_IDLE_MAX};
use crate::planted::Planted;
use crate::world::World;

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
    pub(crate) world: Arc<World>,
    pub(crate) chance: Chance,
    pub(crate) name: String,
    pub(crate) session: Option<Arc<Session>>,
    /// Whether it can be asked something.
    pub(crate) able: bool,
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
        let (world, able) = (Arc::clone(world), world.plan.asking > 0 && chance.percent(70));
        let mut client = Self { world, chance, name, session: None, able, listener: None, heard: Arc::default() };
        if !modern && !client.opens_a_session().await {
            return None;
        }
        Some(client)
    }

    /// Opens one; `false` when that failed, as it may where there are as many as may be.
    async fn opens_a_session(&mut self) -> bool {
        let book = &self.world.book;
        // Before 2025-06-18 no client could be asked.
        let versions =
            if self.able { &["2025-06-18", "2025-11-25"][..] } else { &["2025-03-26", "2025-06-18", "2025-11-25"] };
        let version = versions[usize::try_from(self.chance.below(versions.len() as u64)).unwrap_or(0)];
        let info = json!({"name": self.name, "version": "1"});
        let params = json!({"protocolVersion": version, "capabilities": self.abilities(), "clientInfo": info});
        let id = book.new_call();
        let opening = json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params});
        let reply = self.within(CALL_WAIT_MAX, "initialize", self.send(&opening)).await;
        match reply {
            Some(Reply::Opened { session, .. }) => {
                book.note(&format!("{} opens a session", self.name));
                self.session = Some(session);
                true
            }
            Some(Reply::Failed { fault, .. }) if self.world.plan.sessions_max <= self.world.hub.sessions().len() => {
                book.note(&format!("{} finds no room: {fault}", self.name));
                false
            }
            _ => {
                book.wrong(format!("{}: no session was opened", self.name));
                false
            }
        }
    }

    fn abilities(&self) -> Value {
        if self.able { json!({"elicitation": {}}) } else { json!({}) }
    }

    /// Does nothing until its session is over, and begins a new one; `false` when there is no room.
    pub(crate) async fn idles(&mut self) -> bool {
        let Some(session) = self.session.clone().filter(|_| self.listener.is_none()) else { return true };
        self.world.book.note(&format!("{} idles", self.name));
        tokio::time::sleep(SESSION_IDLE_MAX).await;
        if self.world.hub.sessions().find(session.id()).is_some() && !self.world.plan.has(Planted::SessionKept) {
            self.world.book.wrong(format!("{}: its session stays though nobody uses it", self.name));
        }
        self.session = None;
        self.opens_a_session().await
    }

    pub(crate) fn session_has_ended(&self) -> bool {
        self.session.as_ref().is_some_and(|session| self.world.hub.sessions().find(session.id()).is_none())
    }

    /// Whether its session is still there, as it must be while it is used.
    pub(crate) fn has_its_session(&self) -> bool {
        let Some(session) = &self.session else { return true };
        let lost = self.world.plan.has(Planted::SessionLost) && self.chance.percent(10);
        let is_there = self.world.hub.sessions().find(session.id()).is_some() && !lost;
        if !is_there {
            self.world.book.wrong(format!("{}: its session is gone though it is used", self.name));
        }
        is_there
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
            meta["io.modelcontextprotocol/clientCapabilities"] = self.abilities();
        }
        let calls = self.session.as_ref().map(|session| Arc::clone(&session.calls));
        let (session, headers) = (self.session.clone(), ClientHeaders::default());
        let body = Bytes::from(message.to_string());
        let sender = self.world.hub.local().clone();
        Received { body, scope: Scope::All, channel: Channel::Stdio, sender, session, calls, headers }
    }

    /// Boxed, for it is large.
    pub(crate) fn send(&self, message: &Value) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        let received = self.received(message);
        Box::pin(async move { dispatch(&self.world.hub, received).await })
    }

    pub(crate) async fn within<T>(&self, limit: Duration, what: &str, work: impl Future<Output = T>) -> Option<T> {
        let done = tokio::time::timeout(limit, work).await;
        if done.is_err() {
            self.world.book.wrong(format!("{}: {what} has no end after {} s", self.name, limit.as_secs()));
        }
        done.ok()
    }

    /// Listens to what belongs to no call, until it leaves.
    pub(crate) async fn listen(&mut self) {
        let (heard, book) = (Arc::clone(&self.heard), self.world.book.clone());
        let deaf = self.world.plan.has(Planted::ChangeUnheard);
        if let Some(session) = self.session.clone() {
            self.world.hub.stream_opened(&session);
            let listener = tokio::spawn(async move {
                while let Some(message) = session.outbox.next().await {
                    if is_change(&message) && !deaf {
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
        let mut stream = match reply {
            Some(Reply::Listening(stream)) => stream,
            Some(Reply::Failed { .. }) if self.world.plan.sessions_max < self.world.plan.clients + 2 => return,
            other => return book.wrong(format!("{}: it may not listen: {other:?}", self.name)),
        };
        let listener = tokio::spawn(async move {
            while let Some(message) = stream.next().await {
                let of = parse(&message)["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
                if of != json!(id) {
                    book.wrong(format!("subscription {id} hears of subscription {of}"));
                }
                if is_change(&message) && !deaf {
                    heard.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
        self.listener = Some(listener.abort_handle());
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
        if self.world.plan.has(Planted::ListStale) {
            names.truncate(1);
        }
        Some(names)
    }

    /// It ends its session while calls run, which must end with it.
    pub(crate) async fn leaves_in_the_middle(self) {
        let pause = self.chance.ms(3_000);
        let leaving = async {
            tokio::time::sleep(pause).await;
            if let Some(session) = &self.session {
                self.world.hub.end_session(session.id());
                self.world.book.note(&format!("{} ends its session", self.name));
            }
        };
        let calls = futures_util::future::join_all((0..3).map(|_| self.call()));
        let _whatever_became_of_them = tokio::join!(calls, leaving);
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

pub(crate) fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| json!({"no": "JSON"}))
}

fn is_change(message: &[u8]) -> bool {
    parse(message)["method"] == "notifications/tools/list_changed"
}
