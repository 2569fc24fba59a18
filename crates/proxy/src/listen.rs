//! Opening a `subscriptions/listen` stream at a server of 2026-07-28.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_protocol::{Message, MessageKind, Method, modern_request, request};
use serde::Deserialize;

use crate::error::LinkError;
use crate::exchange::Source;
use crate::hello::HUB_INFO;
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::wire::Wire;

/// For the acknowledgment, which a server must send first. One that sends none is taken to carry the lists alone.
const ACKNOWLEDGED_WAIT: Duration = Duration::from_secs(10);

/// An open stream; dropped, it is cancelled.
#[derive(Debug)]
pub(crate) struct Listen {
    link: Arc<Link>,
    id: u64,
    source: Source,
    ended: bool,
}

/// A stream that came about.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) listen: Listen,
    /// The URIs that the server honours.
    pub(crate) carries: HashSet<String>,
}

/// Why one did not.
#[derive(Debug)]
pub(crate) enum ListenError {
    /// The server does not want to; the JSON text of its error, where there is one.
    Refused(Option<Arc<str>>),
    /// It cannot be reached.
    Link(LinkError),
}

impl Listen {
    /// The next message; an answer ends the stream.
    pub(crate) async fn next(&mut self) -> Result<Message, LinkError> {
        let next = self.source.next().await;
        self.ended = next.as_ref().map_or(true, |message| message.kind() == MessageKind::Response);
        next
    }

    /// Whether messages were dropped since this was asked last.
    pub(crate) fn overflowed(&self) -> bool {
        match &self.source {
            Source::Http(_) => false,
            Source::Channel(call) => call.overflowed(),
        }
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        if !self.ended {
            self.link.cancel(self.id);
        }
    }
}

/// Opens a stream for all lists and the resources `uris`, and waits until the server says which of them it carries.
pub(crate) async fn open(link: Arc<Link>, uris: Vec<Arc<str>>) -> Result<Opened, ListenError> {
    let limit = link.timeout();
    let late = ListenError::Link(LinkError::Timeout { seconds: limit.as_secs() });
    let mut listen = tokio::time::timeout(limit, begin(&link, &uris)).await.unwrap_or(Err(late))?;
    let acknowledged = tokio::time::timeout(ACKNOWLEDGED_WAIT, acknowledged(&mut listen)).await;
    let carries = match acknowledged {
        Ok(carries) => carries?,
        Err(_) => {
            tracing::warn!(server = %link.server(), "it does not acknowledge subscriptions; those to resources are not used");
            HashSet::new()
        }
    };
    Ok(Opened { listen, carries })
}

async fn begin(link: &Arc<Link>, uris: &[Arc<str>]) -> Result<Listen, ListenError> {
    let resources = if uris.is_empty() {
        String::new()
    } else {
        let uris: Vec<&str> = uris.iter().map(|uri| &**uri).collect();
        format!(r#","resourceSubscriptions":{}"#, serde_json::Value::from(uris))
    };
    let filter = format!(
        r#"{{"notifications":{{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true{resources}}}}}"#
    );
    let broken = |e: serde_json::Error| ListenError::Link(LinkError::Broken(e.to_string()));
    let params = modern_request(Some(&filter), HUB_INFO, "{}", None).map_err(broken)?;
    let id = link.next_id();
    let body = Bytes::from(request(id, "subscriptions/listen", &params));
    let source = match link.wire() {
        Wire::Http(http) => match http.listen(body).await {
            Ok(Some(messages)) => Source::Http(Box::new(messages)),
            Ok(None) => return Err(ListenError::Refused(None)),
            Err(error) => return Err(ListenError::Link(error)),
        },
        Wire::Channel(channel) => {
            let headers = Vec::new();
            let outgoing = Outgoing { body, id, method: Method::Listen, name: None, headers, progress_token: None };
            Source::Channel(channel.call(outgoing).await.map_err(ListenError::Link)?)
        }
    };
    Ok(Listen { link: Arc::clone(link), id, source, ended: false })
}

async fn acknowledged(listen: &mut Listen) -> Result<HashSet<String>, ListenError> {
    #[derive(Deserialize)]
    struct Params {
        notifications: Honoured,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Honoured {
        resource_subscriptions: Vec<String>,
    }
    loop {
        let message = listen.next().await.map_err(ListenError::Link)?;
        match (message.kind(), message.method()) {
            (MessageKind::Response, _) => return Err(ListenError::Refused(message.error().map(Arc::from))),
            (_, Some(Method::Acknowledged)) => {
                let params = message.params().and_then(|params| serde_json::from_str::<Params>(params).ok());
                return Ok(params
                    .map(|p| p.notifications.resource_subscriptions.into_iter().collect())
                    .unwrap_or_default());
            }
            // Nothing may come before the acknowledgment, and what does is not about anything that was promised.
            _ => {}
        }
    }
}
