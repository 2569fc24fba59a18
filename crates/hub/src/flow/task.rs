//! `tasks/get`, `tasks/update`, `tasks/cancel`, `tasks/result`: what became of a call that its server goes on with by itself.

use std::sync::Arc;

use omni_protocol::{Era, Method};
use omni_types::Fault;

use crate::Hub;
use crate::flow::call_tool::call_tool;
use crate::flow::other::other;
use crate::record::CallRecord;
use crate::stage::{Sanitized, Validated};
use crate::task_id::are_sealed;

/// Passes the request to the server that runs the task. It takes the road of the call that began it: the stage
/// `authorize` opens the id and lets policy decide about that tool once more.
///
/// Tasks of 2025-11-25 are something else than the extension of 2026-07-28. At `/mcp`, and where callers share a process, they
/// take the same road; at the endpoint of one server they are else that server's own business.
pub(crate) async fn task(hub: &Arc<Hub>, validated: Validated, record: &mut CallRecord) -> Result<Sanitized, Fault> {
    let (era, scope) = (validated.version().era(), &validated.received().scope);
    let is_sealed = are_sealed(hub, era, scope) && validated.method() != Some(&Method::TasksUpdate);
    match era {
        Era::Legacy if !is_sealed => other(hub, validated, record).await,
        _ => call_tool(hub, validated, record).await,
    }
}
