//! `Authenticated → Admitted`: within what its caller, and all callers together, may ask for (row EMG-2).

use omni_types::{Fault, FaultKind};
use tokio::sync::OwnedSemaphorePermit;

use std::sync::Arc;

use crate::Hub;
use crate::calls::Booked;
use crate::stage::authenticate::Authenticated;

/// A message that may cost something.
#[derive(Debug)]
pub struct Admitted {
    pub(super) authenticated: Authenticated,
    /// Given back when the call has its place at a server, whose places are that server's alone.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// Its place among its client's calls, so that it can be cancelled from now on, also while it waits for its server.
    pub(super) booked: Option<Booked>,
}

impl Admitted {
    pub(crate) const fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }
}

/// Admits the call, or tells its client to come again.
///
/// # Errors
/// When the caller asks for more than it may, or as many calls are in flight as the hub may have.
pub fn admit(hub: &Hub, mut authenticated: Authenticated) -> Result<Admitted, Fault> {
    authenticated.share =
        hub.snapshot().throttle().admit(&authenticated.principal, authenticated.validated.received.sender.address())?;
    match Arc::clone(hub.slots()).try_acquire_owned() {
        Ok(permit) => {
            let validated = authenticated.validated();
            let calls = validated.received().calls.as_ref();
            let booked = calls.zip(validated.message().id()).map(|(calls, id)| calls.book(id));
            Ok(Admitted { authenticated, permit: Some(permit), booked })
        }
        Err(_) => Err(Fault::new(
            FaultKind::Busy,
            format!("{} calls are in flight, which is all the hub may have; try again", hub.limits().calls_max),
        )),
    }
}
