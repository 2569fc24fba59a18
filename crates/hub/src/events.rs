//! What servers say of their own accord, handed on to the sessions it concerns.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use omni_protocol::{ErrorCode, ListKind, Message, Method, Splice, error_response, member, notification};
use omni_proxy::Event;
use omni_types::ServerName;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::Hub;
use crate::scope::Scope;
use crate::session::Session;

/// Between two rounds of closing what is idle.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

impl Hub {
    /// Starts the background work: what servers say is handed on, what is idle is closed. It ends with the hub.
    pub fn start(self: &Arc<Self>) {
        tokio::spawn(run(Arc::downgrade(self), self.events().subscribe()));
        let hub = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(HOUSEKEEPING).await;
                let Some(hub) = hub.upgrade() else { return };
                hub.parking().expire();
                for session in hub.sessions().expired() {
                    for server in hub.servers(&session.scope) {
                        server.end_session(session.id());
                    }
                }
                for session in hub.sessions().all() {
                    session.events.expire();
                }
                for server in hub.servers(&Scope::All) {
                    server.end_sessions_but(|id| hub.sessions().find(id).is_some());
                    server.prune();
                }
            }
        });
    }
}

/// Hands on until the hub is gone.
async fn run(hub: Weak<Hub>, mut events: broadcast::Receiver<Event>) {
    loop {
        let event = events.recv().await;
        let Some(hub) = hub.upgrade() else { return };
        match event {
            Ok(event) => hand_on(&hub, &event),
            Err(RecvError::Lagged(_)) => hub.everything_changed(),
            Err(RecvError::Closed) => return,
        }
    }
}

fn changed(kind: ListKind) -> Bytes {
    notification(kind.changed(), None).into()
}

fn shows(session: &Session, server: &ServerName) -> bool {
    match &session.scope {
        Scope::All => true,
        Scope::One(name) => name == server,
    }
}

fn hand_on(hub: &Arc<Hub>, event: &Event) {
    match event {
        Event::Replaced => hub.everything_changed(),
        Event::ListChanged { server, kind } => {
            for session in hub.sessions().all() {
                if shows(&session, server) {
                    session.outbox.push(changed(*kind));
                }
            }
        }
        Event::Notification { server, session: Some(id), message } => {
            if let Some(session) = hub.sessions().find(id) {
                deliver(hub, &session, server, message);
            }
        }
        Event::Notification { server, session: None, message } => {
            for session in hub.sessions().all() {
                if shows(&session, server) && wants(&session, server, message) {
                    deliver(hub, &session, server, message);
                }
            }
        }
        Event::Request { server, session, message } => ask(hub, server, session, message),
    }
}

/// Whether a session asked to hear of what a process shared by several says.
fn wants(session: &Session, server: &ServerName, message: &Message) -> bool {
    match message.method() {
        Some(Method::ResourceUpdated) => uri_of(message).is_some_and(|(uri, _)| session.is_subscribed(server, &uri)),
        Some(Method::LogMessage) => session.log_level().is_some(),
        _ => false,
    }
}

fn uri_of(message: &Message) -> Option<(String, std::ops::Range<usize>)> {
    let value = member(message.params()?, "uri")?;
    let start = value.get().as_ptr() as usize - message.bytes().as_ptr() as usize;
    Some((serde_json::from_str(value.get()).ok()?, start..start + value.get().len()))
}

fn deliver(hub: &Arc<Hub>, session: &Arc<Session>, server: &ServerName, message: &Message) {
    let shown =
        uri_of(message).filter(|_| message.method() == Some(&Method::ResourceUpdated)).and_then(|(uri, range)| {
            let snapshot = hub.snapshot();
            let shown = hub.view(&session.scope, &session.principal, &session.link_profile()).shown_uri(
                &session.scope,
                snapshot.server(server.as_str())?,
                &uri,
            )?;
            let mut splice = Splice::new();
            splice.replace(range, serde_json::Value::from(shown).to_string().into_bytes());
            Some(splice.apply(message.bytes()).into())
        });
    session.outbox.push(shown.unwrap_or_else(|| message.bytes().clone()));
}

/// A server asks a client for something outside any call.
fn ask(hub: &Arc<Hub>, server: &ServerName, session: &Arc<str>, message: &Message) {
    let (Some(session), Some(range), Some(id)) = (hub.sessions().find(session), message.id_range(), message.id())
    else {
        return;
    };
    let snapshot = hub.snapshot();
    let link = snapshot.server(server.as_str()).and_then(|server| server.session_link(session.version, session.id()));
    let Some(link) = link else { return };
    let Some(number) = session.ask(&link, id) else {
        let why = "too many requests wait for this client";
        return link.send_if_room(error_response(Some(id), ErrorCode::INTERNAL, why, None).into());
    };
    let mut splice = Splice::new();
    splice.replace(range, number.to_string().into_bytes());
    session.outbox.push(splice.apply(message.bytes()).into());
}
