//! Subscribing a client to a resource that it may read, and telling it of updates.

use std::sync::{Arc, Weak};

use omni_auth::{Access, Action, Arguments, Decision};
use omni_protocol::ListKind;
use omni_proxy::{Link, SubscribeError, Subscriber, Subscription, Update};
use omni_types::{Fault, ServerName};

use crate::Hub;
use crate::access::access;
use crate::shown::decide;
use crate::stage::resource_for;
use crate::subscriptions::{Reader, Subscriptions, with_uri};
use crate::view::Found;

/// Why a client cannot be told of a resource.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSubscribed {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("server `{0}`: {1}")]
    Server(ServerName, SubscribeError),
}

/// Begins to subscribe a client to what it calls `uri`, if it may.
pub(crate) async fn begin(hub: &Arc<Hub>, reader: &Reader, uri: &Arc<str>) -> Result<Subscription, NotSubscribed> {
    let found = resource_for(hub, reader, uri).await?;
    let link = found.server.link(&reader.profile).await.map_err(|e| found.server.fault(&e))?;
    subscribe(hub, reader, uri, &found, &link)
}

/// Begins to subscribe a client to `found`, which it calls `uri` and may see.
pub(crate) fn subscribe(
    hub: &Arc<Hub>,
    reader: &Reader,
    uri: &Arc<str>,
    found: &Found,
    link: &Arc<Link>,
) -> Result<Subscription, NotSubscribed> {
    let server = found.server.name();
    let told =
        Told { hub: Arc::downgrade(hub), reader: reader.clone(), server: server.clone(), asked: Arc::clone(uri) };
    let begun = found.server.subscribe(link, &reader.profile, &found.name, Arc::new(told));
    begun.map_err(|why| NotSubscribed::Server(server.clone(), why))
}

/// One subscription's way to its client.
#[derive(Debug)]
struct Told {
    hub: Weak<Hub>,
    reader: Reader,
    server: ServerName,
    /// What the client calls the resource.
    asked: Arc<str>,
}

impl Subscriber for Told {
    fn updated(&self, update: &Update<'_>) {
        let Some(hub) = self.hub.upgrade() else { return };
        let snapshot = hub.snapshot();
        let Reader { principal, scope, profile, around, outbox } = &self.reader;
        // Asked again each time: a part may be denied where the whole is not, and policy may have changed.
        let about = (self.server.as_str(), update.uri);
        let about = access(principal, Action::ReadResource, ListKind::Resources, about);
        let about = Access { around: around.surroundings(), arguments: Arguments::Given(None), ..about };
        if !matches!(decide(snapshot.policy(), &hub.shown(scope, principal), &about), Decision::Allow) {
            return;
        }
        let shown: Arc<str> = if update.uri == update.subscribed {
            Arc::clone(&self.asked)
        } else {
            let Some(server) = snapshot.server(self.server.as_str()) else { return };
            let view = hub.view(scope, principal, around, profile);
            view.shown_uri(scope, server, update.uri).map_or_else(|| update.uri.into(), Arc::from)
        };
        let params = update.params.and_then(|params| with_uri(params, update.uri, &shown));
        outbox.updated(&shown, &self.asked, params);
    }
}

/// Subscribes again where a server was replaced. What cannot be had any more is let go.
pub(crate) async fn renew(hub: &Arc<Hub>, subscriptions: &Subscriptions, reader: &Reader) {
    for uri in subscriptions.outdated(&hub.snapshot()) {
        match begin(hub, reader, &uri).await {
            Ok(subscription) if subscription.settled().await.is_ok() => {
                subscriptions.keep(Arc::clone(&uri), subscription);
                reader.outbox.updated(&uri, &uri, None);
            }
            _ => {
                tracing::info!(%uri, "a subscription ended with the server that it was to");
                drop(subscriptions.remove(&uri));
            }
        }
    }
}
