//! `tasks/get`, `tasks/update`, `tasks/cancel`, `tasks/result`: what became of a call that its server goes on with by itself.

use std::sync::Arc;

use omni_protocol::{Era, Method};
use omni_types::Fault;

use crate::Hub;
use crate::flow::call_tool::call_tool;
use crate::flow::other::other;
use crate::record::CallRecord;
use crate::stage::{Sanitized, Validated};

/// Passes the request to the server that runs the task. It takes the road of the call that began it: the stage
/// `authorize` opens the id and lets policy decide about that tool once more.
///
/// Tasks of 2025-11-25 are something else than the extension of 2026-07-28. At `/mcp` they take the same road; at the
/// endpoint of one server they are that server's own business.
pub(crate) async fn task(hub: &Arc<Hub>, validated: Validated, record: &mut CallRecord) -> Result<Sanitized, Fault> {
    let is_of_one = validated.received().scope.is_one() || validated.method() == Some(&Method::TasksUpdate);
    match validated.version().era() {
        Era::Legacy if is_of_one => other(hub, validated, record).await,
        _ => call_tool(hub, validated, record).await,
    }
}
