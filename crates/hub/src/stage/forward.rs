//! `Routed → Answered`: the server has its say. What it says is still untrusted.

use std::sync::Arc;

use omni_protocol::{Era, members, response};
use omni_proxy::{Exchange, Link, LinkError, Outgoing, Place};
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::calls::{Booked, unless_cancelled};
use crate::log_level;
use crate::parking::Parked;
use crate::stage::authorize::Authorized;
use crate::stage::input::may_ask;
use crate::stage::mirror::{is_mismatch, outdated};
use crate::stage::route::{Going, Routed, route};
use crate::stage::validate::{Caller, Validated};

/// A server's answer, or its beginning.
#[derive(Debug)]
pub struct Answered {
    pub(super) authorized: Authorized,
    pub(super) link: Arc<Link>,
    pub(super) arrived: Arrived,
    pub(super) booked: Option<Booked>,
    pub(super) place: Place,
}

/// What came of it.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is nearly every call: a box would cost it an allocation")]
pub(super) enum Arrived {
    /// The answer, or something before it.
    Answer {
        exchange: Exchange,
        /// The call as it was sent, where the server may ask for input in a way that its client does not know.
        again: Option<Box<Outgoing>>,
    },
    /// A call that waited goes on. What its client left unanswered is still to be asked.
    Resumed(Box<Parked>),
}

/// Sends the message and waits for the first thing that comes back.
///
/// # Errors
/// When the server fails, or the client cancels the call.
pub async fn forward(hub: &Arc<Hub>, routed: Routed) -> Result<Answered, Fault> {
    send(hub, routed, true).await
}

async fn send(hub: &Arc<Hub>, routed: Routed, first: bool) -> Result<Answered, Fault> {
    let Routed { mut authorized, link, going, place } = routed;
    let booked = authorized.admitted.booked.take();
    let validated = &authorized.admitted.authenticated.validated;
    let arrived = match going {
        Going::Out(outgoing) => {
            if let Caller::Modern(meta) = &validated.caller
                && let Some(level) = meta.log_level.as_deref().filter(|_| link.version().era() == Era::Legacy)
            {
                Box::pin(log_level::lower(&link, level)).await;
            }
            let asks_otherwise =
                matches!(validated.caller, Caller::Session(_)) && may_ask(&outgoing.method, link.version().era());
            let again = asks_otherwise.then(|| Box::new(outgoing.clone()));
            // Pinned here: what a function takes by value and then waits for stands in its future twice.
            let exchanging = std::pin::pin!(async { Ok(link.exchange(outgoing).await) });
            let outcome = unless_cancelled(booked.as_ref(), exchanging).await?;
            let is_mismatch = matches!(&outcome, Ok(exchange) if is_mismatch(validated, &link, exchange));
            if first && (is_mismatch || link.refused(&outcome)) {
                let doubting = Box::pin(async { Ok(doubted(&authorized, &link, &outcome, is_mismatch).await) });
                if unless_cancelled(booked.as_ref(), doubting).await? {
                    // Nothing ran: it was refused, by a server that is another one now or by a schema that the hub did not
                    // know. Nothing else is sent twice.
                    drop(place);
                    authorized.admitted.booked = booked;
                    let routed = Box::pin(route(hub, authorized)).await?;
                    return Box::pin(send(hub, routed, false)).await;
                }
            }
            Arrived::Answer { exchange: outcome.map_err(|e| link.fault(&e))?, again }
        }
        Going::Back(parked) => Arrived::Resumed(Box::new(Box::pin(resume(validated, *parked)).await?)),
    };
    Ok(Answered { authorized, link, arrived, booked, place })
}

/// Hands the client's answers to the server that waits for them. What is not answered is asked again; what was not asked
/// is left (basic/patterns/mrtr, "Error Handling").
async fn resume(validated: &Validated, mut parked: Parked) -> Result<Parked, Fault> {
    let bytes = validated.message().bytes();
    let given = validated.params().input_responses_range.clone();
    let given = given.and_then(|range| std::str::from_utf8(&bytes[range]).ok()).unwrap_or("{}");
    let invalid = |e| Fault::new(FaultKind::InvalidParams, format!("params.inputResponses: {e}"));
    let given = match members(given) {
        Ok(given) => given,
        Err(error) => return Err(invalid(error)),
    };
    let link = Arc::clone(parked.messages.link());
    let mut unanswered = Vec::new();
    for asked in parked.asked {
        match given.iter().find(|(key, value)| *key == asked.key && value.get().starts_with('{')) {
            None => unanswered.push(asked),
            Some((_, result)) => {
                link.send(response(&asked.id, result.get()).into()).await.map_err(|e| link.fault(&e))?;
            }
        }
    }
    parked.asked = unanswered;
    // The server's time begins now: until now it was the client's.
    parked.messages.go_on();
    Ok(parked)
}

/// Whether what the hub knew of the server proved wrong, so that the refused call may be made once more.
async fn doubted(
    authorized: &Authorized,
    link: &Arc<Link>,
    outcome: &Result<Exchange, LinkError>,
    is_mismatch: bool,
) -> bool {
    match authorized.found() {
        Some(found) if is_mismatch => outdated(&authorized.admitted.authenticated.validated, &found.server, link).await,
        Some(found) => found.server.doubt(link, outcome).await,
        None => false,
    }
}
