//! `Admitted → Authorized`: the permission validator decides before anything is routed (rows TOOL-2 and TOOL-7).

use std::sync::Arc;

use omni_auth::{Access, Action, Decision};
use omni_protocol::{ListKind, Method};
use omni_types::{Fault, FaultKind, Principal};

use crate::Hub;
use crate::scope::Scope;
use crate::stage::admit::Admitted;
use crate::stage::authenticate::Authenticated;
use crate::stage::fit::prepare;
use crate::stage::validate::{Caller, Validated};
use crate::subscriptions::Reader;
use crate::task_id::{TaskId, knows_tasks, undeclared};
use crate::view::{Found, View};

/// A message that its sender may send.
#[derive(Debug)]
pub struct Authorized {
    pub(super) admitted: Admitted,
    /// The thing it is about, where it is about one of a server.
    pub(super) access: Option<Found>,
}

impl Authorized {
    pub(crate) const fn found(&self) -> Option<&Found> {
        self.access.as_ref()
    }
}

/// Finds what the message is about, and decides.
///
/// # Errors
/// When there is no such thing, or policy does not allow it.
pub async fn authorize(hub: &Arc<Hub>, mut admitted: Admitted) -> Result<Authorized, Fault> {
    let validated = &admitted.authenticated().validated;
    let principal = &admitted.authenticated().principal;
    if let (Some(method), Caller::Modern(meta)) = (validated.method(), validated.caller())
        && method.is_of_task()
    {
        return task(hub, &meta.client_capabilities, validated, principal)
            .map(|found| Authorized { admitted, access: Some(found) });
    }
    if let (Some(method), Scope::One(name)) = (validated.method(), &validated.received().scope)
        && (matches!(method, Method::Other(_)) || method.is_of_task())
    {
        // A method that the hub does not know concerns the one server of this endpoint alone.
        let Some(server) = hub.snapshot().server(name.as_str()).cloned() else { return Err(no_server(name.as_str())) };
        let found = Found { server, name: method.as_str().to_owned() };
        return allowed(hub, principal, Action::CallTool, found)
            .map(|found| Authorized { admitted, access: Some(found) });
    }
    let Some((action, kind)) = validated.method().and_then(|m| action_of(m, validated.params().name.is_some())) else {
        return Ok(Authorized { admitted, access: None });
    };
    let scope = &validated.received().scope;
    let name = match kind {
        ListKind::Tools | ListKind::Prompts => validated.params().name.as_deref(),
        ListKind::Resources | ListKind::Templates => validated.params().uri.as_deref(),
    };
    let Some(name) = name else {
        let missing = if matches!(kind, ListKind::Tools | ListKind::Prompts) { "name" } else { "uri" };
        return Err(Fault::new(FaultKind::InvalidParams, format!("params: `{missing}` is missing")));
    };
    let found = match scope {
        Scope::One(only) => {
            hub.snapshot().server(only.as_str()).cloned().map(|server| Found { server, name: name.to_owned() })
        }
        Scope::All => find(hub, &admitted, kind, name).await,
    };
    let Some(found) = found else { return Err(unknown(kind, name)) };
    // Before policy looks at them: it decides about what the server will see.
    prepare(hub, &mut admitted.authenticated.validated, &found).await?;
    let found = allowed(hub, &admitted.authenticated.principal, action, found)?;
    Ok(Authorized { admitted, access: Some(found) })
}

/// What was found, if policy allows it.
fn allowed(hub: &Hub, principal: &Principal, action: Action, found: Found) -> Result<Found, Fault> {
    let server = found.server.name().as_str();
    match hub.snapshot().policy().decide(&Access { principal, action, server, name: &found.name }) {
        Decision::Allow => Ok(found),
        Decision::Deny(why) => Err(Fault::new(FaultKind::Denied, why)),
    }
}

/// The task that is meant, if its principal may still call the tool that began it.
fn task(hub: &Hub, capabilities: &str, validated: &Validated, principal: &Principal) -> Result<Found, Fault> {
    if !knows_tasks(capabilities) {
        return Err(undeclared());
    }
    let Some(sealed) = validated.params().task_id.as_deref() else {
        return Err(Fault::new(FaultKind::InvalidParams, "params: `taskId` is missing"));
    };
    let unknown = || Fault::new(FaultKind::InvalidParams, "params.taskId: there is no such task");
    let task = TaskId::open(hub.seal(), principal, sealed).ok_or_else(unknown)?;
    let here = match &validated.received().scope {
        Scope::All => true,
        Scope::One(name) => name.as_str() == task.server,
    };
    let server = hub.snapshot().server(&task.server).cloned().filter(|_| here).ok_or_else(unknown)?;
    let tool = Found { server, name: task.tool };
    allowed(hub, principal, Action::CallTool, tool).map(|tool| Found { name: task.id, ..tool })
}

/// The resource that `reader` calls `uri`, if it may read it.
pub(crate) async fn resource_for(hub: &Arc<Hub>, reader: &Reader, uri: &str) -> Result<Found, Fault> {
    let Reader { scope, principal, profile, .. } = reader;
    let mut found = hub.view(scope, principal, profile).resource(scope, uri);
    if found.is_none() && Box::pin(hub.settle(scope, profile)).await {
        found = hub.view(scope, principal, profile).resource(scope, uri);
    }
    let found = found.ok_or_else(|| unknown(ListKind::Resources, uri))?;
    let server = found.server.name().as_str();
    match hub.snapshot().policy().decide(&Access { principal, action: Action::ReadResource, server, name: &found.name })
    {
        Decision::Allow => Ok(found),
        Decision::Deny(why) => Err(Fault::new(FaultKind::Denied, why)),
    }
}

/// Looks the name up in what all servers offer, and again when some had not said yet.
async fn find(hub: &Arc<Hub>, admitted: &Admitted, kind: ListKind, name: &str) -> Option<Found> {
    let Authenticated { validated, principal } = admitted.authenticated();
    let scope = &validated.received().scope;
    let look = |view: &View| match kind {
        ListKind::Tools | ListKind::Prompts => view.named(scope, kind, name),
        ListKind::Resources => view.resource(scope, name),
        ListKind::Templates => view.template(scope, name),
    };
    let found = look(&hub.view(scope, principal, validated.profile()));
    if found.is_none() && Box::pin(hub.settle(scope, validated.profile())).await {
        return look(&hub.view(scope, principal, validated.profile()));
    }
    found
}

fn action_of(method: &Method, has_name: bool) -> Option<(Action, ListKind)> {
    Some(match method {
        Method::ToolsCall => (Action::CallTool, ListKind::Tools),
        Method::PromptsGet => (Action::GetPrompt, ListKind::Prompts),
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            (Action::ReadResource, ListKind::Resources)
        }
        Method::Complete if has_name => (Action::Complete, ListKind::Prompts),
        Method::Complete => (Action::Complete, ListKind::Templates),
        _ => return None,
    })
}

fn no_server(name: &str) -> Fault {
    Fault::new(FaultKind::InvalidParams, format!("there is no server `{name}`"))
}

fn unknown(kind: ListKind, name: &str) -> Fault {
    let shown = serde_json::Value::from(name);
    match kind {
        ListKind::Tools => Fault::new(FaultKind::InvalidParams, format!("Unknown tool: {name}")),
        ListKind::Prompts => Fault::new(FaultKind::InvalidParams, format!("Unknown prompt: {name}")),
        ListKind::Resources | ListKind::Templates => {
            Fault::new(FaultKind::ResourceNotFound, format!("Resource not found: {name}"))
                .with_data(format!(r#"{{"uri":{shown}}}"#))
        }
    }
}
