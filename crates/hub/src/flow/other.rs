//! Methods that the hub does not know: at the endpoint of one server they are that server's business.

use std::sync::Arc;

use omni_protocol::{Era, Method};
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::flow::call_tool::call_tool;
use crate::record::CallRecord;
use crate::scope::Scope;
use crate::stage::{Sanitized, Validated};

/// Passes the method on, or says that nobody knows it. Which of several servers is meant is never guessed.
pub(crate) async fn other(hub: &Arc<Hub>, validated: Validated, record: &mut CallRecord) -> Result<Sanitized, Fault> {
    match &validated.received().scope {
        Scope::All | Scope::Profile(_) if validated.method().is_some_and(|method| method.as_str() == "tasks/list") => {
            let why =
                "`tasks/list` is not offered at /mcp, whose servers' tasks have no common list; see /mcp/{server}";
            Err(Fault::new(FaultKind::MethodNotFound, why))
        }
        Scope::All | Scope::Profile(_) => Err(unknown_method(&validated)),
        Scope::One(_) => call_tool(hub, validated, record).await,
    }
}

/// -32601.
pub(crate) fn unknown_method(validated: &Validated) -> Fault {
    let name = validated.method().map_or("", Method::as_str);
    let era = match validated.version().era() {
        Era::Legacy => "before 2026-07-28",
        Era::Modern => "of 2026-07-28",
    };
    Fault::new(FaultKind::MethodNotFound, format!("Method not found: {name} (revision {era})"))
}
