//! `resources/subscribe` and `resources/unsubscribe`.

use std::sync::Arc;

use omni_protocol::Method;
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::record::CallRecord;
use crate::stage::{Caller, Sanitized, Validated, admit, authenticate, authorize, forward, route, sanitize};

/// Subscribes, or ends it. The session remembers what it asked for: a process that serves several clients tells all of
/// them, and each hears only of its own.
pub(crate) async fn subscribe(
    hub: &Arc<Hub>,
    validated: Validated,
    record: &mut CallRecord,
) -> Result<Sanitized, Fault> {
    let authenticated = record.who(authenticate(hub, validated)?);
    let admitted = admit(hub, authenticated)?;
    let authorized = record.what(authorize(hub, admitted).await?);
    let validated = authorized.admitted().authenticated().validated();
    let begins = validated.method() == Some(&Method::ResourcesSubscribe);
    if let (Caller::Session(session), Some(found)) = (validated.caller(), authorized.found()) {
        let server = found.server.name();
        if !begins {
            session.unsubscribe(server, &found.name);
            let others = hub.sessions().all();
            if others.iter().any(|other| !Arc::ptr_eq(other, session) && other.is_subscribed(server, &found.name)) {
                // Somebody else still listens on what may be the same process.
                return Ok(Sanitized::own(validated.message().id().unwrap_or("null"), "{}"));
            }
        } else if !session.subscribe(server, &found.name) {
            return Err(Fault::new(FaultKind::Busy, "this session has as many subscriptions as it may have"));
        }
    }
    let routed = route(hub, authorized).await?;
    let answered = forward(hub, routed).await?;
    sanitize(hub, answered).await
}
