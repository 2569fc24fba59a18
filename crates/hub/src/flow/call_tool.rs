//! `tools/call`: one tool of one server, called for one principal (the founding document's third flow).

use std::sync::Arc;

use omni_types::Fault;

use crate::Hub;
use crate::flow::profile_tools::{own_tool, use_own_tool};
use crate::record::CallRecord;
use crate::stage::{Approval, Sanitized, Validated, admit, approve, authenticate, authorize, forward, route, sanitize};

/// Calls the tool. The dispatcher has taken the call from `Received` to `Validated`.
pub(crate) async fn call_tool(
    hub: &Arc<Hub>,
    validated: Validated,
    record: &mut CallRecord,
) -> Result<Sanitized, Fault> {
    let authenticated = authenticate(hub, validated)?; // whose call it is
    let admitted = admit(hub, authenticated)?; // within their share
    if let Some(tool) = own_tool(hub, &admitted) {
        record.begin().await?;
        return Box::pin(use_own_tool(hub, admitted, tool)).await; // the hub's own, which policy decides about as well
    }
    let authorized = record.what(authorize(hub, admitted).await?); // policy said yes
    let approved = match approve(hub, authorized).await? {
        Approval::Given(approved) => approved, // so did a person, where policy wants one
        Approval::Asked(question) => return Ok(question),
    };
    record.begin().await?; // where nothing may be done without its record, it is durable now
    let routed = route(hub, approved).await?; // one link to one server
    let answered = forward(hub, routed).await?; // still untrusted
    sanitize(hub, answered).await // renamed, translated, fit to leave
}
