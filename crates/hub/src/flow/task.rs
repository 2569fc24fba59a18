//! `tasks/get`, `tasks/update`, `tasks/cancel`: what became of a call that its server goes on with by itself.

use std::sync::Arc;

use omni_protocol::Era;
use omni_types::Fault;

use crate::Hub;
use crate::flow::call_tool::call_tool;
use crate::flow::other::other;
use crate::record::CallRecord;
use crate::stage::{Sanitized, Validated};

/// Passes the request to the server that runs the task. It takes the road of the call that began it: the stage
/// `authorize` opens the id and lets policy decide about that tool once more.
///
/// In the revisions before 2026-07-28 tasks were something else, and a server's own business.
pub(crate) async fn task(hub: &Arc<Hub>, validated: Validated, record: &mut CallRecord) -> Result<Sanitized, Fault> {
    match validated.version().era() {
        Era::Modern => call_tool(hub, validated, record).await,
        Era::Legacy => other(hub, validated, record).await,
    }
}
