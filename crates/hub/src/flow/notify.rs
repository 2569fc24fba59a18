//! Notifications of clients.

use std::sync::Arc;

use omni_protocol::Method;
use omni_types::Fault;

use crate::Hub;
use crate::reply::Reply;
use crate::stage::{Caller, Validated, authenticate};

/// Takes a notification. One that is not known is taken and left: it asks for no answer.
pub(crate) async fn notify(hub: &Arc<Hub>, validated: Validated) -> Result<Reply, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let validated = authenticated.validated();
    match validated.method() {
        Some(Method::Cancelled) => {
            let calls = validated.received().calls.as_ref();
            if let (Some(calls), Some(id)) = (calls, validated.params().request_id.as_deref()) {
                calls.cancel(id);
            }
        }
        Some(Method::RootsListChanged) => {
            if let Caller::Session(session) = validated.caller() {
                for server in hub.servers(&session.scope) {
                    if let Some(link) = server.session_link(session.version, session.id()) {
                        link.send_if_room(validated.message().bytes().clone());
                    }
                }
            }
        }
        _ => {}
    }
    Ok(Reply::Accepted)
}
