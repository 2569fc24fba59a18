//! `subscriptions/listen`: a client of 2026-07-28 hears of changes on one long stream.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use omni_protocol::{ListKind, meta_keys, notification, response};
use omni_proxy::Event;
use omni_types::{Fault, FaultKind};
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::Hub;
use crate::reply::Reply;
use crate::scope::Scope;
use crate::stage::{Validated, authenticate};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
}

/// An open subscription.
#[derive(Debug)]
pub struct ListenStream {
    id: String,
    scope: Scope,
    kinds: Vec<ListKind>,
    events: broadcast::Receiver<Event>,
    ready: VecDeque<Bytes>,
    ended: bool,
}

/// Opens the stream. The acknowledgment names what is honoured: changes of lists. Updates of single resources are not
/// carried to clients of 2026-07-28 yet and so not acknowledged.
pub(crate) fn listen(hub: &Arc<Hub>, validated: Validated) -> Result<Reply, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let validated = authenticated.validated();
    let message = validated.message();
    let Some(range) = validated.params().notifications_range.clone() else {
        return Err(Fault::new(FaultKind::InvalidParams, "params: `notifications` is missing"));
    };
    let filter: Filter = serde_json::from_slice(&message.bytes()[range])
        .map_err(|e| Fault::new(FaultKind::InvalidParams, format!("params.notifications: {e}")))?;
    let scope = validated.received().scope.clone();
    let events = hub.events().subscribe();
    hub.wake(&scope, validated.version());
    let mut kinds = Vec::new();
    let mut honoured = Vec::new();
    for (wanted, kind, name) in [
        (filter.tools_list_changed, ListKind::Tools, "toolsListChanged"),
        (filter.prompts_list_changed, ListKind::Prompts, "promptsListChanged"),
        (filter.resources_list_changed, ListKind::Resources, "resourcesListChanged"),
    ] {
        if wanted {
            kinds.push(kind);
            honoured.push(format!(r#""{name}":true"#));
        }
    }
    let id = message.id().unwrap_or("null").to_owned();
    let params = format!(
        r#"{{"_meta":{{"{}":{id}}},"notifications":{{{}}}}}"#,
        meta_keys::SUBSCRIPTION_ID,
        honoured.join(",")
    );
    let acknowledged = notification("notifications/subscriptions/acknowledged", Some(&params)).into();
    let ready = VecDeque::from([acknowledged]);
    Ok(Reply::Listening(Box::new(ListenStream { id, scope, kinds, events, ready, ended: false })))
}

impl ListenStream {
    /// JSON text of the id of the request that opened it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The next message; `None` after the last.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            if self.ended {
                return None;
            }
            match self.events.recv().await {
                Ok(Event::ListChanged { server, kind }) => {
                    let shown = match &self.scope {
                        Scope::All => true,
                        Scope::One(name) => *name == server,
                    };
                    if shown && self.kinds.contains(&kind) {
                        self.ready.push_back(self.changed(kind));
                    }
                }
                Ok(_) => {}
                // What was missed may have been any of them.
                Err(RecvError::Lagged(_)) => self.ready = self.kinds.iter().map(|kind| self.changed(*kind)).collect(),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The answer that ends it in good order (subscriptions of 2026-07-28, "Graceful Closure").
    pub fn close(&mut self) -> Bytes {
        self.ended = true;
        let result = format!(r#"{{"resultType":"complete","_meta":{{"{}":{}}}}}"#, meta_keys::SUBSCRIPTION_ID, self.id);
        response(&self.id, &result).into()
    }

    fn changed(&self, kind: ListKind) -> Bytes {
        let params = format!(r#"{{"_meta":{{"{}":{}}}}}"#, meta_keys::SUBSCRIPTION_ID, self.id);
        notification(kind.changed(), Some(&params)).into()
    }
}
