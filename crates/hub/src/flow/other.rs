//! Methods that the hub does not know: at the endpoint of one server they are that server's business.

use std::sync::Arc;

use omni_protocol::{Era, Method};
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::flow::call_tool::call_tool;
use crate::record::CallRecord;
use crate::scope::Scope;
use crate::stage::{Sanitized, Validated};
use crate::task_id::are_sealed;

/// Passes the method on, or says that nobody knows it. Which of several servers is meant is never guessed.
pub(crate) async fn other(hub: &Arc<Hub>, validated: Validated, record: &mut CallRecord) -> Result<Sanitized, Fault> {
    let scope = &validated.received().scope;
    let lists_tasks = validated.method().is_some_and(|method| method.as_str() == "tasks/list");
    match scope {
        Scope::All | Scope::Profile(_) if lists_tasks => {
            let why =
                "`tasks/list` is not offered at /mcp, whose servers' tasks have no common list; see /mcp/{server}";
            Err(Fault::new(FaultKind::MethodNotFound, why))
        }
        Scope::One(name) if lists_tasks && are_sealed(hub, validated.version().era(), scope) => {
            let why = format!(
                "`tasks/list` is not offered by server `{name}`: its callers share a process, whose list names everybody's tasks; \
                 `sharing: session` gives each session its own"
            );
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
