//! `resources/subscribe` and `resources/unsubscribe`, so that a server of the legacy era tells of what clients want.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use omni_protocol::{Message, MessageKind, Method, request};
use tokio::task::JoinSet;

use crate::end::End;
use crate::error::LinkError;
use crate::feed::{Ask, Feed};
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::server::Server;
use crate::subscriber::SubscribeError;

/// Requests of one link on their way at a time; of one URI there is never more than one.
const ASKING_MAX: usize = 16;

/// Asks for what is wanted and releases what is not, for as long as the link lives in one session.
pub(crate) async fn keep_legacy(server: &Weak<Server>, feed: &Arc<Feed>, link: &Arc<Link>) -> End {
    let (mut changes, mut sessions) = (feed.changes(), link.sessions());
    let mut asking = JoinSet::new();
    loop {
        changes.borrow_and_update();
        while asking.len() < ASKING_MAX
            && let Some(ask) = feed.next_ask()
        {
            asking.spawn(asked(server.clone(), Arc::clone(link), ask));
        }
        link.watched(feed.wanted_count() > 0);
        if asking.is_empty() && feed.is_idle() {
            return End::Idle;
        }
        tokio::select! {
            biased;
            () = link.ended() => return End::Gone,
            // The session is another one, which has never heard of what was asked before.
            Ok(()) = sessions.changed() => return End::Renewed,
            Some(Ok((ask, outcome))) = asking.join_next() => feed.asked(&ask, outcome),
            _ = changes.changed() => {}
        }
    }
}

async fn asked(server: Weak<Server>, link: Arc<Link>, ask: Ask) -> (Ask, Result<(), SubscribeError>) {
    let (method, uri) = match &ask {
        Ask::Subscribe(uri) => (Method::ResourcesSubscribe, uri),
        Ask::Unsubscribe(uri) => (Method::ResourcesUnsubscribe, uri),
    };
    let params = format!(r#"{{"uri":{}}}"#, serde_json::Value::from(&**uri));
    let id = link.next_id();
    let body = Bytes::from(request(id, method.as_str(), &params));
    let outgoing = Outgoing { body, id, method, name: None, headers: Vec::new(), progress_token: None };
    let outcome = match answer(&server, &link, outgoing).await {
        Ok(answer) => match answer.error() {
            None => Ok(()),
            Some(error) => Err(SubscribeError::Refused(error.into())),
        },
        Err(error) => Err(SubscribeError::Link(error)),
    };
    (ask, outcome)
}

async fn answer(server: &Weak<Server>, link: &Arc<Link>, outgoing: Outgoing) -> Result<Message, LinkError> {
    let exchange = link.exchange(outgoing).await?;
    let (mut message, mut rest) = (exchange.first, exchange.rest);
    loop {
        if message.kind() == MessageKind::Response {
            return Ok(message);
        }
        // An update may come on the same stream, before the answer.
        if let Some(server) = server.upgrade() {
            server.hear(link, message);
        }
        let next = match &mut rest {
            Some(rest) => rest.next().await?,
            None => None,
        };
        message = next.ok_or_else(|| LinkError::Broken("its stream held no answer".to_owned()))?;
    }
}
