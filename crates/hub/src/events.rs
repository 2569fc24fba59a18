//! What servers say of their own accord, handed on to the clients it concerns; and the hub's housekeeping.
//!
//! Nothing stands in between: it is put where each client's stream takes it from, by whoever read it from the server.

use std::sync::{Arc, Weak};
use std::time::Duration;

use omni_protocol::{ErrorCode, ListKind, Message, Method, Splice, error_response, members};
use omni_proxy::{Audience, Event, Link};
use omni_types::ServerName;

use crate::Hub;
use crate::scope::Scope;
use crate::session::Session;
use crate::stage::{leave, server_tag, updated_tags};
use crate::subscriptions::with_uri;

/// Between two rounds of closing what is idle.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// The hub's ear at its servers.
#[derive(Debug)]
struct Ear(Weak<Hub>);

impl Hub {
    /// Where servers tell what they say of their own accord.
    #[must_use]
    pub fn audience(self: &Arc<Self>) -> Arc<dyn Audience> {
        Arc::new(Ear(Arc::downgrade(self)))
    }

    /// Starts the background work: what is idle is closed. It ends with the hub.
    pub fn start(self: &Arc<Self>) {
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
                hub.leave_gone_endpoints();
                for session in hub.sessions().all() {
                    session.events.expire();
                }
                hub.snapshot().cache().sweep();
                for server in hub.servers(&Scope::All) {
                    server.end_sessions_but(|id| hub.sessions().find(id).is_some());
                    server.prune();
                }
            }
        });
    }
}

impl Audience for Ear {
    fn hear(&self, event: Event) {
        let Some(hub) = self.0.upgrade() else { return };
        match event {
            Event::ResourceUpdated { server, uri } => {
                let snapshot = hub.snapshot();
                for tag in updated_tags(server.as_str(), &uri) {
                    snapshot.cache().forget(Some(tag));
                }
            }
            Event::ListChanged { server, kind } => {
                if kind == ListKind::Resources {
                    hub.snapshot().cache().forget(Some(server_tag(server.as_str())));
                }
                for session in hub.sessions().all() {
                    if session.scope.shows(&server) {
                        session.outbox.changed(kind);
                    }
                }
                hub.listenings().changed(&server, kind);
            }
            Event::Notification { server, session: Some(id), message } => {
                if let Some(session) = hub.sessions().find(&id) {
                    deliver(&hub, &session, &server, &message);
                }
            }
            Event::Notification { server, session: None, message } => {
                for session in hub.sessions().all() {
                    if session.log_level().is_some()
                        && session.scope.shows(&server)
                        && hub.shown(&session.scope, &session.principal).shows_server(server.as_str())
                    {
                        deliver(&hub, &session, &server, &message);
                    }
                }
            }
            Event::Request { link, session, message } => ask(&hub, &link, &session, &message),
        }
    }
}

fn deliver(hub: &Arc<Hub>, session: &Arc<Session>, server: &ServerName, message: &Message) {
    if message.method() != Some(&Method::ResourceUpdated) {
        return match leave(hub, server.as_str(), message.bytes().clone()) {
            Ok(message) => session.outbox.line(&message),
            Err(fault) => tracing::warn!(%server, %fault, "a message is not sent on"),
        };
    }
    // A resource that the client did not subscribe to, on a link that is its own.
    let snapshot = hub.snapshot();
    let (Some(server), Some(params)) = (snapshot.server(server.as_str()), message.params()) else { return };
    let found = members(params).ok().and_then(|found| found.into_iter().find(|(key, _)| key == "uri"));
    let Some(uri) = found.and_then(|(_, uri)| serde_json::from_str::<String>(uri.get()).ok()) else { return };
    let view = hub.view(&session.scope, &session.principal, &session.around(), &session.link_profile());
    let shown: Arc<str> = view.shown_uri(&session.scope, server, &uri).unwrap_or_else(|| uri.clone()).into();
    session.outbox.updated(&shown, &shown, with_uri(params, &uri, &shown));
}

/// A server asks a client for something outside any call. It is asked, or the server hears why not.
fn ask(hub: &Arc<Hub>, link: &Arc<Link>, session: &Arc<str>, message: &Message) {
    let (Some(range), Some(id)) = (message.id_range(), message.id()) else { return };
    let refuse = |why: &str| {
        let why = format!("server `{}`: {why}", link.server());
        link.send_if_room(error_response(Some(id), ErrorCode::INTERNAL, &why, None).into());
    };
    let Some(session) = hub.sessions().find(session) else { return refuse("the client's session has ended") };
    let Some(number) = session.ask(link, id) else {
        return refuse("as many of its requests wait for this client as may wait");
    };
    let mut splice = Splice::new();
    splice.replace(range, number.to_string().into_bytes());
    // A question is read by people and programs like an answer, and may hold the same.
    let question = match leave(hub, link.server().as_str(), splice.apply(message.bytes()).into()) {
        Ok(question) => question,
        Err(fault) => {
            session.answered(number);
            return refuse(fault.public());
        }
    };
    if !session.outbox.request(&question) {
        session.answered(number);
        refuse("this client does not read what it is asked, and as much waits for it as may wait");
    }
}
