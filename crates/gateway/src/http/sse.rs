//! HTTP+SSE, the transport of revision 2024-11-05: a stream that names a session URI, and messages posted to that.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use omni_hub::stage::Channel;
use omni_hub::{Identified, Scope, Sessions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::conversation::Conversation;
use crate::http::body::{Body, Next, Source};
use crate::http::channels::{Message, Place};
use crate::http::guest::Guest;
use crate::http::incoming::{self, RequestBody};
use crate::http::reply::{COMMENT, event, events, in_time, not_allowed, refuse, text};
use crate::http::shared::Shared;

/// The member of the query that names the session.
const SESSION_MEMBER: &str = "sessionId=";
/// Messages of a client that wait to be taken.
const INBOX_MAX: usize = 64;

/// The stream of a client that just came.
pub(crate) fn open(shared: &Arc<Shared>, scope: Scope, sender: Identified, headers: &HeaderMap) -> Response<Body> {
    if !incoming::accepts_events(headers) {
        return refuse(StatusCode::NOT_ACCEPTABLE, "Accept must list text/event-stream");
    }
    let Ok(id) = Sessions::fresh_id() else {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "the system has no randomness to give");
    };
    let path = match &scope {
        Scope::All => "/sse".to_owned(),
        Scope::One(name) => format!("/sse/{name}"),
        Scope::Profile(name) => format!("/sse/p/{name}"),
    };
    let endpoint = format!("event: endpoint\ndata: {path}?{SESSION_MEMBER}{id}\n\n");
    let (messages, inbox) = mpsc::channel(INBOX_MAX);
    let (conversation, queue) =
        Conversation::begin(Arc::clone(&shared.hub), scope.clone(), Channel::Sse, sender.clone());
    let place = shared.channels.add(id, scope, sender.principal().clone(), messages);
    let mut running = JoinSet::new();
    running.spawn(converse(conversation, sender, inbox, shared.limits.header_timeout, shared.stopping.clone()));
    events(Box::new(Speaking { endpoint: Some(endpoint.into()), queue, _place: place, _running: running }))
}

/// Hears what is posted, until the stream is let go, the endpoint is removed or the hub stops. A client that says nothing at first is none.
async fn converse(
    mut conversation: Conversation,
    mut sender: Identified,
    mut inbox: mpsc::Receiver<Message>,
    first_within: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let over = conversation.over();
    let Ok(Some(first)) = tokio::time::timeout(first_within, inbox.recv()).await else { return };
    let mut hear = async |(message, from): Message, sender: &mut Identified| {
        conversation.renew(from.clone());
        *sender = from;
        conversation.hear(message).await;
    };
    hear(first, &mut sender).await;
    loop {
        let message = tokio::select! {
            message = inbox.recv() => message,
            _ = stopping.wait_for(|stop| *stop) => break,
            () = over.notified() => break,
            _ = sender.ended() => return,
        };
        match message {
            Some(message) => hear(message, &mut sender).await,
            None => return,
        }
    }
    conversation.drained().await;
}

/// A message of the client.
pub(crate) async fn take(
    guest: &Guest,
    scope: &Scope,
    sender: Identified,
    head: &Parts,
    body: RequestBody,
) -> Response<Body> {
    let shared = &guest.shared;
    let query = head.uri.query().unwrap_or_default();
    let id = query.split('&').find_map(|member| member.strip_prefix(SESSION_MEMBER));
    let Some(id) = id else {
        // A client that tries Streamable HTTP first learns that it has to open a stream here.
        return not_allowed("GET");
    };
    let Some(inbox) = shared.channels.find(id, scope, sender.principal()) else {
        return refuse(StatusCode::NOT_FOUND, "there is no such session, or not any more: open a stream again");
    };
    if !incoming::is_json(&head.headers) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json");
    }
    let body = match incoming::read(body, guest).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    match tokio::time::timeout(shared.limits.body_timeout, inbox.send((body, sender))).await {
        Ok(Ok(())) => text(StatusCode::ACCEPTED, "Accepted"),
        Ok(Err(_)) => refuse(StatusCode::NOT_FOUND, "the session has ended: open a stream again"),
        Err(_) => {
            refuse(StatusCode::TOO_MANY_REQUESTS, "as many messages wait as may: read the stream, then try again")
        }
    }
}

/// The client's stream. The conversation ends with it.
struct Speaking {
    endpoint: Option<Bytes>,
    queue: mpsc::Receiver<Bytes>,
    _place: Place,
    _running: JoinSet<()>,
}

impl Source for Speaking {
    fn next(mut self: Box<Self>) -> Next {
        Box::pin(async move {
            if let Some(endpoint) = self.endpoint.take() {
                return Some((endpoint, self as Box<dyn Source>));
            }
            let chunk = match in_time(self.queue.recv()).await {
                None => Bytes::from_static(COMMENT),
                Some(message) => event(&message?),
            };
            Some((chunk, self as Box<dyn Source>))
        })
    }
}
