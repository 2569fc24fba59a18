//! `subscriptions/listen`: a client of 2026-07-28 hears of changes on one long stream.

use std::sync::Arc;
use std::time::Duration;

use omni_protocol::ListKind;
use omni_types::{Fault, FaultKind};
use serde::Deserialize;
use tokio::time::Instant;

use crate::Hub;
use crate::listening::ListenStream;
use crate::outbox::Outbox;
use crate::reply::Reply;
use crate::scope::Scope;
use crate::stage::{Authenticated, Validated, around_for_long, authenticate};
use crate::subscribing::begin;
use crate::subscriptions::{Reader, SUBSCRIPTIONS_MAX, URI_BYTES_MAX};

/// For servers to say whether they carry what the client subscribes to; what is open then is not honoured.
const HONOURED_WAIT: Duration = Duration::from_secs(30);

/// What the client wants to hear of. Other members, `taskIds` of the tasks extension among them, are not honoured and so
/// not acknowledged.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
    resource_subscriptions: Vec<Arc<str>>,
}

/// Opens the stream. The acknowledgment, its first message, names what is honoured.
pub(crate) async fn listen(hub: &Arc<Hub>, validated: Validated) -> Result<Reply, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let filter = filter(&authenticated)?;
    let validated = authenticated.validated();
    let (scope, profile) = (validated.received().scope.clone(), validated.profile().clone());
    hub.wake(&scope, &profile);
    let kinds = [
        (filter.tools_list_changed, ListKind::Tools, "toolsListChanged"),
        (filter.prompts_list_changed, ListKind::Prompts, "promptsListChanged"),
        (filter.resources_list_changed, ListKind::Resources, "resourcesListChanged"),
    ];
    let (mut honoured, mut wanted) = (Vec::new(), Vec::new());
    for (_, kind, member) in kinds.into_iter().filter(|(is_wanted, ..)| *is_wanted) {
        if may_change(hub, &scope, &profile, kind) {
            honoured.push(format!(r#""{member}":true"#));
            wanted.push(kind);
        }
    }
    let id = validated.message().id().unwrap_or("null");
    let booked = validated.received().calls.as_ref().map(|calls| calls.book(id));
    let reader = Reader {
        scope,
        principal: authenticated.principal().clone(),
        profile,
        around: around_for_long(validated),
        outbox: Arc::new(Outbox::of_listen(id)),
    };
    // It hears of changes before it says so: what happens in between waits behind the acknowledgment.
    let max = hub.limits().sessions_max;
    let stream = ListenStream::open(hub.listenings(), max, reader, wanted, (id, validated.received(), booked));
    let mut stream = stream
        .ok_or_else(|| Fault::new(FaultKind::Busy, format!("{max} streams are open, which is all the hub may have")))?;
    if !filter.resource_subscriptions.is_empty() {
        let subscribing = Box::pin(subscribe(hub, &stream, filter.resource_subscriptions));
        let uris = tokio::select! {
            uris = subscribing => uris,
            () = stream.cancelled() => return Err(Fault::new(FaultKind::Cancelled, "the client cancelled the stream")),
        };
        if !uris.is_empty() {
            let uris: Vec<&str> = uris.iter().map(|uri| &**uri).collect();
            honoured.push(format!(r#""resourceSubscriptions":{}"#, serde_json::Value::from(uris)));
        }
    }
    stream.acknowledge(&format!("{{{}}}", honoured.join(",")));
    Ok(Reply::Listening(Box::new(stream)))
}

fn filter(authenticated: &Authenticated) -> Result<Filter, Fault> {
    let validated = authenticated.validated();
    let Some(range) = validated.params().notifications_range.clone() else {
        return Err(Fault::new(FaultKind::InvalidParams, "params: `notifications` is missing"));
    };
    let mut filter: Filter = serde_json::from_slice(&validated.message().bytes()[range])
        .map_err(|e| Fault::new(FaultKind::InvalidParams, format!("params.notifications: {e}")))?;
    if filter.resource_subscriptions.len() > SUBSCRIPTIONS_MAX {
        let why = format!("params.notifications.resourceSubscriptions has at most {SUBSCRIPTIONS_MAX} URIs");
        return Err(Fault::new(FaultKind::InvalidParams, why));
    }
    filter.resource_subscriptions.sort_unstable();
    filter.resource_subscriptions.dedup();
    filter.resource_subscriptions.retain(|uri| uri.len() <= URI_BYTES_MAX);
    Ok(filter)
}

/// Whether the list can be told to have changed: at `/mcp` any can, since servers come and go.
fn may_change(hub: &Hub, scope: &Scope, profile: &omni_proxy::Profile, kind: ListKind) -> bool {
    match scope {
        Scope::All | Scope::Profile(_) => true,
        Scope::One(_) => hub.servers(scope).iter().all(|server| {
            let known = server.catalog_now(profile).catalog;
            known.is_none_or(|catalog| catalog.capability(kind.capability()).is_some())
        }),
    }
}

/// Subscribes to what the client may read; the URIs that its servers carry. All are begun before any is waited for, so
/// that each server is asked once.
async fn subscribe(hub: &Arc<Hub>, stream: &ListenStream, uris: Vec<Arc<str>>) -> Vec<Arc<str>> {
    let until = Instant::now() + HONOURED_WAIT;
    let listening = stream.listening();
    let (mut begun, mut honoured) = (Vec::new(), Vec::new());
    for uri in uris {
        match tokio::time::timeout_at(until, begin(hub, &listening.reader, &uri)).await {
            Ok(Ok(subscription)) => begun.push((uri, subscription)),
            Ok(Err(why)) => tracing::debug!(%uri, %why, "a subscription is not honoured"),
            Err(_) => tracing::debug!(%uri, "a subscription is not honoured: its server is not there in time"),
        }
    }
    for (uri, subscription) in begun {
        match tokio::time::timeout_at(until, subscription.settled()).await {
            Ok(Ok(())) => {
                listening.subscriptions.keep(Arc::clone(&uri), subscription);
                honoured.push(uri);
            }
            Ok(Err(why)) => tracing::debug!(%uri, %why, "a subscription is not honoured"),
            Err(_) => tracing::debug!(%uri, "a subscription is not honoured: its server does not say"),
        }
    }
    honoured
}
