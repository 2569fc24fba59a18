//! `resources/subscribe` and `resources/unsubscribe`, in front of servers of either era.

use std::sync::Arc;

use omni_protocol::Method;
use omni_proxy::SubscribeError;
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::calls::unless_cancelled;
use crate::record::CallRecord;
use crate::stage::{Caller, Sanitized, Validated, admit, authenticate, authorize, link_for};
use crate::subscribing::{NotSubscribed, subscribe as begin};
use crate::subscriptions::URI_BYTES_MAX;

/// Subscribes, or ends it. What a server is told of that is shared by all whose calls run on the same link; the answer
/// comes when the server carries it.
pub(crate) async fn subscribe(
    hub: &Arc<Hub>,
    validated: Validated,
    record: &mut CallRecord,
) -> Result<Sanitized, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let admitted = admit(hub, authenticated)?;
    let validated = admitted.authenticated().validated();
    let id = validated.message().id().unwrap_or("null").to_owned();
    let Caller::Session(session) = validated.caller().clone() else {
        return Err(Fault::new(FaultKind::MethodNotFound, "subscriptions of this kind need a session"));
    };
    let uri: Arc<str> = match validated.params().uri.as_deref() {
        Some(uri) if uri.len() <= URI_BYTES_MAX => uri.into(),
        Some(_) => {
            let why = format!("params: `uri` has at most {URI_BYTES_MAX} bytes");
            return Err(Fault::new(FaultKind::InvalidParams, why));
        }
        None => return Err(Fault::new(FaultKind::InvalidParams, "params: `uri` is missing")),
    };
    if validated.method() == Some(&Method::ResourcesUnsubscribe) {
        // Whoever was allowed to begin may end it, whatever became of the resource.
        let released = session.subscriptions.remove(&uri);
        drop(admitted);
        if let Some(released) = released {
            released.release().await;
        }
        return Ok(Sanitized::own(&id, "{}"));
    }
    let calls = validated.received().calls.clone();
    let authorized = record.what(authorize(hub, admitted).await?);
    let Some(found) = authorized.found().cloned() else {
        return Err(Fault::new(FaultKind::Internal, "a subscription to no resource"));
    };
    if session.subscriptions.has(&uri) {
        return Ok(Sanitized::own(&id, "{}"));
    }
    if !session.subscriptions.has_room() {
        return Err(Fault::new(FaultKind::Busy, "this session has as many subscriptions as it may have"));
    }
    record.begin().await?;
    // What is waited for from here on is the server's to say, and takes no place of the hub's.
    drop(authorized);
    let booked = calls.as_ref().map(|calls| calls.book(&id));
    let reader = session.reader();
    let subscribing = async {
        let link = link_for(&found.server, &reader.profile, Some(&session)).await?;
        let subscription = begin(hub, &reader, &uri, &found, &link)?;
        let settled = subscription.settled().await;
        settled.map_err(|why| NotSubscribed::Server(found.server.name().clone(), why))?;
        Ok::<_, NotSubscribed>(subscription)
    };
    let outcome = unless_cancelled(booked.as_ref(), async { Ok(subscribing.await) }).await?;
    match outcome {
        Ok(subscription) => {
            session.subscriptions.keep(uri, subscription);
            Ok(Sanitized::own(&id, "{}"))
        }
        Err(NotSubscribed::Fault(fault)) => Err(fault),
        // What the server has to say about it is the server's.
        Err(NotSubscribed::Server(_, SubscribeError::Refused(error))) => Ok(Sanitized::own_error(&id, &error)),
        Err(NotSubscribed::Server(server, why)) => Err(match &why {
            SubscribeError::Link(error) => found.server.fault(error),
            SubscribeError::TooMany => Fault::new(FaultKind::Busy, format!("server `{server}`: {why}")),
            SubscribeError::NotOffered => Fault::new(FaultKind::MethodNotFound, format!("server `{server}`: {why}")),
            _ => Fault::new(FaultKind::InvalidParams, format!("server `{server}`: {why}")),
        }),
    }
}
