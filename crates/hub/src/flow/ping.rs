//! `ping`: answered here, since it is this connection that is asked about.

use omni_types::Fault;

use crate::Hub;
use crate::stage::{Sanitized, Validated, authenticate};

/// Answers at once.
pub(crate) fn ping(hub: &Hub, validated: Validated) -> Result<Sanitized, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let id = authenticated.validated().message().id().unwrap_or("null");
    Ok(Sanitized::own(id, "{}"))
}
