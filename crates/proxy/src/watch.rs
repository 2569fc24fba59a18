//! Listening to what a server says of its own accord, over HTTP where that needs a stream of its own.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use omni_protocol::{Era, ErrorCode, Message, MessageKind, Method, error_response, request, response};
use tokio::sync::oneshot;

use crate::error::LinkError;
use crate::event::Event;
use crate::keep::{RETRY_FIRST, RETRY_LONGEST};
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::profile::Profile;
use crate::server::Server;
use crate::update::updated;
use crate::wire::Wire;

/// Bytes of a message that belongs to no call: many of them may wait for many clients.
const UNASKED_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the id of a server's request.
const ID_BYTES_MAX: usize = 256;
/// How long the first call of a session waits for its server's stream.
const STREAM_WAIT: Duration = Duration::from_secs(1);

impl Server {
    /// Listens on `link` for as long as it lives.
    ///
    /// What is returned closes when the stream is there, or is known not to come.
    pub(crate) fn listen(self: &Arc<Self>, link: &Arc<Link>) -> Option<oneshot::Receiver<()>> {
        if link.version().era() == Era::Modern {
            // What lists it has and which resources are subscribed to is one stream.
            let profile = Profile::hub(link.version());
            self.keep(&self.with_feed(link, &profile, Arc::clone), link);
            return None;
        }
        if matches!(link.wire(), Wire::Channel(_)) || !link.claim_stream() {
            return None;
        }
        let (opening, opened) = oneshot::channel();
        let shared = link.key().session.is_none();
        let (server, link) = (Arc::downgrade(self), Arc::downgrade(link));
        tokio::spawn(async move {
            let mut pause = RETRY_FIRST;
            let (mut opening, mut again, mut deaf) = (Some(opening), false, false);
            while let Some(opened) = listen_once(&server, &link, opening.take(), again, &mut deaf).await {
                again = true;
                // A stream that came about and ended is opened again at once-ish; one that was refused, later and later.
                pause = if opened { RETRY_FIRST } else { (pause * 2).min(RETRY_LONGEST) };
                tokio::time::sleep(pause).await;
            }
            // Its last stream broke off and none followed: what changed since nobody told.
            if let Some(server) = server.upgrade().filter(|server| deaf && shared && !server.is_stopped()) {
                server.refresh();
            }
        });
        Some(opened)
    }

    /// Opens the stream of a session's own link and waits until it is there, for a while: what a server asks outside of
    /// a call's stream would be lost before.
    pub async fn stream_opened(self: &Arc<Self>, link: &Arc<Link>) {
        let Some(opened) = link.is_alive().then(|| self.listen(link)).flatten() else { return };
        let _there_or_late = tokio::time::timeout(STREAM_WAIT, opened).await;
    }

    /// A message that belongs to no call.
    pub(crate) fn hear(self: &Arc<Self>, link: &Arc<Link>, message: Message) {
        let name = link.server().clone();
        if message.bytes().len() > UNASKED_BYTES_MAX || message.id().is_some_and(|id| id.len() > ID_BYTES_MAX) {
            tracing::warn!(server = %name, bytes = message.bytes().len(), "a message that nobody asked for is too large");
            return;
        }
        match (message.kind(), message.method()) {
            (MessageKind::Notification, Some(Method::ListChanged(_))) => self.refresh(),
            (MessageKind::Notification, Some(Method::ResourceUpdated)) => self.hear_update(link, message),
            (MessageKind::Notification, Some(Method::LogMessage)) => {
                let session = link.key().session.clone();
                self.say(Event::Notification { server: name, session, message });
            }
            (MessageKind::Request, method) => {
                let id = message.id().unwrap_or("null").to_owned();
                let reply = match (method, &link.key().session) {
                    (Some(Method::Ping), _) => response(&id, "{}"),
                    (_, Some(session)) => {
                        let (session, link) = (Arc::clone(session), Arc::clone(link));
                        return self.say(Event::Request { link, session, message });
                    }
                    _ => refuse(&id, method),
                };
                link.send_if_room(reply.into());
            }
            _ => {}
        }
    }

    /// An update that came on a link of the legacy era.
    fn hear_update(self: &Arc<Self>, link: &Arc<Link>, message: Message) {
        let Some(update) = updated(&message) else { return };
        self.say(Event::ResourceUpdated { server: link.server().clone(), uri: update.uri.to_string() });
        let told = self.feed_of(link).is_some_and(|feed| feed.tell(&update.uri, update.params.as_deref()));
        // On a link of its own a session hears what its server says, whether it makes sense or not.
        if let (false, Some(session)) = (told, link.key().session.clone()) {
            self.say(Event::Notification { server: link.server().clone(), session: Some(session), message });
        }
    }
}

/// One stream from its opening to its end; `again` says that there was one before, or one was wanted, `deaf` after it that it
/// broke off. `None` when the server offers none, or the link is gone.
async fn listen_once(
    server: &Weak<Server>,
    link: &Weak<Link>,
    opening: Option<oneshot::Sender<()>>,
    again: bool,
    deaf: &mut bool,
) -> Option<bool> {
    let strong = link.upgrade()?;
    let Wire::Http(http) = strong.wire() else { return None };
    let opened = async {
        match http.stream().await {
            // The conversation is another one now, and has no stream yet.
            Err(LinkError::SessionLost) => http.stream().await,
            outcome => outcome,
        }
    };
    // A server may take its time to open the stream, but not longer than anybody wants it.
    let stream = tokio::select! {
        biased;
        stream = opened => stream,
        () = server_gone(server) => return None,
        () = left_alone(&strong) => return None,
    };
    let mut messages = match stream {
        Ok(Some(messages)) => messages,
        Ok(None) => return None,
        Err(LinkError::Status { status: 404, .. }) => return session_lost(&strong).await.then_some(false),
        Err(_) => return Some(false),
    };
    drop(opening);
    *deaf = false;
    if again && strong.key().session.is_none() {
        // What changed in between nobody told. On a session's own link only the session's own matters are told.
        server.upgrade()?.refresh();
    }
    // While it waits for the server, the stream must not keep the link alive: it ends with the link's last user.
    drop(strong);
    loop {
        let next = tokio::select! {
            biased;
            next = messages.next() => next,
            () = gone(link) => return None,
        };
        match next {
            Ok(message) => {
                let (server, link) = (server.upgrade()?, link.upgrade()?);
                if let Some(message) = link.give(message) {
                    server.hear(&link, message);
                }
            }
            Err(_) => {
                *deaf = true;
                return Some(true);
            }
        }
    }
}

/// A server that has no stream may say so with 404, in which it says as well that it has lost the session. It is asked
/// something else: the link opens another session then.
async fn session_lost(link: &Arc<Link>) -> bool {
    let sessions = link.sessions();
    let id = link.next_id();
    let (body, headers) = (Bytes::from(request(id, Method::Ping.as_str(), "{}")), Vec::new());
    let ping = Outgoing { body, id, method: Method::Ping, name: None, headers, progress_token: None };
    link.exchange(ping).await.is_err() || sessions.has_changed().unwrap_or(true)
}

/// Looks now and then whether the link is still wanted.
async fn gone(link: &Weak<Link>) {
    const LOOK: Duration = Duration::from_secs(1);
    while link.strong_count() > 0 {
        tokio::time::sleep(LOOK).await;
    }
}

/// Looks now and then whether anybody but the one who listens holds the link.
async fn left_alone(link: &Arc<Link>) {
    const LOOK: Duration = Duration::from_secs(1);
    while Arc::strong_count(link) > 1 {
        tokio::time::sleep(LOOK).await;
    }
}

async fn server_gone(server: &Weak<Server>) {
    const LOOK: Duration = Duration::from_secs(1);
    while server.upgrade().is_some_and(|s| !s.is_stopped()) {
        tokio::time::sleep(LOOK).await;
    }
}

fn refuse(id: &str, method: Option<&Method>) -> Vec<u8> {
    let name = method.map_or("", Method::as_str);
    let why = format!("`{name}` cannot be carried to a client here: this connection is shared by several of them");
    error_response(Some(id), ErrorCode::METHOD_NOT_FOUND, &why, None)
}
