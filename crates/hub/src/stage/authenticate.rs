//! `Validated → Authenticated`: whose call it is.

use omni_types::{Fault, FaultKind, Principal};

use crate::Hub;
use crate::stage::validate::{Caller, Validated};

/// A message whose sender is known.
#[derive(Debug)]
pub struct Authenticated {
    pub(super) validated: Validated,
    pub(super) principal: Principal,
}

impl Authenticated {
    pub(crate) const fn validated(&self) -> &Validated {
        &self.validated
    }

    pub(crate) const fn principal(&self) -> &Principal {
        &self.principal
    }
}

/// Finds out whose call it is.
///
/// The hub listens on loopback and stdio alone, where the other end is the user that runs it.
///
/// # Errors
/// When the session belongs to somebody else. It is answered as if there were none of that name.
pub fn authenticate(hub: &Hub, validated: Validated) -> Result<Authenticated, Fault> {
    let principal = hub.local_principal().clone();
    if let Caller::Session(session) = &validated.caller {
        if session.has_ended() || session.principal != principal || session.scope != validated.received.scope {
            return Err(Fault::new(FaultKind::SessionNotFound, "there is no such session at this endpoint"));
        }
        session.touch();
    }
    Ok(Authenticated { validated, principal })
}
