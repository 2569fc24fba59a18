//! Answers of clients to what a server asked them.

use std::sync::Arc;

use omni_protocol::Splice;
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::reply::Reply;
use crate::session::Question;
use crate::stage::{Caller, Validated, authenticate};

/// Hands an answer to the server that waits for it. Each is taken once, and only from the session that was asked.
pub(crate) async fn respond(hub: &Arc<Hub>, validated: Validated) -> Result<Reply, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let validated = authenticated.validated();
    let message = validated.message();
    let unasked = || Fault::new(FaultKind::InvalidRequest, "no request of that id waits for an answer");
    let Caller::Session(session) = validated.caller() else { return Err(unasked()) };
    let question = message.id_number().and_then(|number| session.answered(number)).ok_or_else(unasked)?;
    let (link, id) = match question {
        Question::OfServer { link, id } => (link.upgrade().ok_or_else(unasked)?, id),
        Question::OfHub { to, .. } => {
            return to.send(message.clone()).map(|()| Reply::Accepted).map_err(|_| unasked());
        }
    };
    let mut splice = Splice::new();
    if let Some(range) = message.id_range() {
        splice.replace(range, id.into_bytes());
    }
    link.send(splice.apply(message.bytes()).into()).await.map_err(|e| link.fault(&e))?;
    Ok(Reply::Accepted)
}
