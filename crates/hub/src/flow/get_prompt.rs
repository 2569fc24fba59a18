//! `prompts/get`: one prompt of one server, filled in for one principal.

use std::sync::Arc;

use omni_types::Fault;

use crate::Hub;
use crate::flow::call_tool::call_tool;
use crate::record::CallRecord;
use crate::stage::{Sanitized, Validated};

/// The same road as a tool call: what differs, the stages find out by the method.
pub(crate) async fn get_prompt(
    hub: &Arc<Hub>,
    validated: Validated,
    record: &mut CallRecord,
) -> Result<Sanitized, Fault> {
    call_tool(hub, validated, record).await
}
