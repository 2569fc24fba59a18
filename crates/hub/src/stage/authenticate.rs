//! `Validated → Authenticated`: whose call it is.

use omni_types::{Fault, FaultKind, Principal};

use crate::Hub;
use crate::stage::validate::{Caller, Validated};
use crate::throttle::Share;

/// A message whose sender is known.
#[derive(Debug)]
pub struct Authenticated {
    pub(super) validated: Validated,
    pub(super) principal: Principal,
    /// Its place among its principal's calls in flight: given by admission, held to the call's end.
    pub(super) share: Option<Share>,
}

impl Authenticated {
    pub(crate) const fn validated(&self) -> &Validated {
        &self.validated
    }

    pub(crate) const fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// Finds out whose call it is: its sender's, who was identified when the message came in and still is who they were; a
/// channel may be older than its token.
///
/// # Errors
/// When the token has ended or was revoked, or the session belongs to somebody else. That is answered as if there were none
/// of that name.
pub fn authenticate(hub: &Hub, validated: Validated) -> Result<Authenticated, Fault> {
    let sender = &validated.received.sender;
    sender.stands().map_err(|refusal| hub.refused(sender, &refusal))?;
    let principal = sender.principal().clone();
    if let Caller::Session(session) = &validated.caller {
        if session.has_ended() || session.principal != principal || session.scope != validated.received.scope {
            return Err(Fault::new(FaultKind::SessionNotFound, "there is no such session at this endpoint"));
        }
        session.touch();
    }
    Ok(Authenticated { validated, principal, share: None })
}
