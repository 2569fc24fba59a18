//! `tools/call`: one tool of one server, called for one principal (the founding document's third flow).

use std::sync::Arc;

use omni_types::Fault;

use crate::Hub;
use crate::record::CallRecord;
use crate::stage::{Sanitized, Validated, admit, authenticate, authorize, forward, route, sanitize};

/// Calls the tool. The dispatcher has taken the call from `Received` to `Validated`.
pub(crate) async fn call_tool(
    hub: &Arc<Hub>,
    validated: Validated,
    record: &mut CallRecord,
) -> Result<Sanitized, Fault> {
    let authenticated = record.who(authenticate(hub, validated)?); // whose call it is
    let admitted = admit(hub, authenticated)?; // within their share
    let authorized = record.what(authorize(hub, admitted).await?); // policy said yes
    let routed = route(hub, authorized).await?; // one link to one server
    let answered = forward(hub, routed).await?; // still untrusted
    sanitize(hub, answered).await // renamed, translated, fit to leave
}
