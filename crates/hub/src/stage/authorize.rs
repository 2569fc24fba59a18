//! `Admitted → Authorized`: the permission validator decides before anything is routed (rows TOOL-2 and TOOL-7).

use std::sync::Arc;

use omni_audit::{Event, EventKind, FieldName, Outcome, Who};
use omni_auth::{Access, Action, Arguments, Ask, Decided, Decision, Denial, Hints};
use omni_protocol::{ListKind, Method};
use omni_telemetry::current_trace;
use omni_types::{Fault, FaultKind, ServerName};

use crate::Hub;
use crate::access::{access, hints};
use crate::scope::Scope;
use crate::shown::{Shown, decide_by};
use crate::stage::admit::Admitted;
use crate::stage::around::around;
use crate::stage::authenticate::Authenticated;
use crate::stage::fit::prepare;
use crate::stage::validate::{Caller, Validated};
use crate::subscriptions::Reader;
use crate::task_id::{TaskId, are_sealed, knows_tasks, undeclared};
use crate::view::{Found, View};

/// A message that its sender may send.
#[derive(Debug)]
pub struct Authorized {
    pub(super) admitted: Admitted,
    /// The thing it is about, where it is about one of a server.
    pub(super) access: Option<Found>,
    /// Set where a person's word is wanted before it may be routed.
    pub(super) ask: Option<Arc<Ask>>,
    /// The policies that allow it, where any was asked.
    pub(super) permits: Option<Arc<[String]>>,
}

/// What policy allows: with a person's word, where it wants one, and by which policies.
#[derive(Debug, Default)]
struct Allowed {
    ask: Option<Arc<Ask>>,
    permits: Option<Arc<[String]>>,
}

impl Authorized {
    /// Whether a person's word is wanted.
    pub(crate) const fn asks(&self) -> bool {
        self.ask.is_some()
    }

    /// The ids of the policies that allow it.
    pub(crate) fn permits(&self) -> Option<Arc<[String]>> {
        self.permits.clone()
    }

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
    if validated.method().is_some_and(Method::is_of_task) {
        match validated.caller() {
            Caller::Modern(meta) if !knows_tasks(&meta.client_capabilities) => return Err(undeclared()),
            // At the endpoint of one server the tasks of the earlier revisions may be that server's business.
            Caller::Session(_) if !are_sealed(hub, validated.version().era(), &validated.received().scope) => {}
            _ => {
                let (found, permits) = Box::pin(task(hub, admitted.authenticated())).await?;
                return Ok(Authorized { admitted, access: Some(found), ask: None, permits });
            }
        }
    }
    if let (Some(method), Scope::One(name)) = (validated.method(), &validated.received().scope)
        && (matches!(method, Method::Other(_)) || method.is_of_task())
    {
        // A method that the hub does not know concerns the one server of this endpoint alone.
        let Some(server) = hub.snapshot().server(name.as_str()).cloned() else { return Err(no_server(name.as_str())) };
        let found = Found { server, name: method.as_str().to_owned() };
        let what = (Action::CallTool, ListKind::Tools);
        let Allowed { ask, permits } = allowed(hub, admitted.authenticated(), what, &found, given(validated)).await?;
        if let Some(ask) = ask {
            return Err(unasked(hub, admitted.authenticated(), what, &found, &ask));
        }
        return Ok(Authorized { admitted, access: Some(found), ask: None, permits });
    }
    let Some((action, kind)) = validated.method().and_then(|m| action_of(m, validated.params().name.is_some())) else {
        return Ok(Authorized { admitted, access: None, ask: None, permits: None });
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
        Scope::All | Scope::Profile(_) => find(hub, &admitted, kind, name).await,
    };
    let Some(found) = found else { return Err(unknown(kind, name)) };
    // Before policy looks at them: it decides about what the server will see.
    prepare(hub, &mut admitted.authenticated.validated, &found).await?;
    let authenticated = admitted.authenticated();
    let method = authenticated.validated.method();
    let Allowed { ask, permits } =
        allowed(hub, authenticated, (action, kind), &found, given(&authenticated.validated)).await?;
    let may_wait = matches!(method, Some(Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead));
    if let Some(ask) = ask.as_ref().filter(|_| !may_wait) {
        return Err(unasked(hub, authenticated, (action, kind), &found, ask));
    }
    Ok(Authorized { admitted, access: Some(found), ask, permits })
}

/// An approval is asked for calls alone, and this is none.
fn unasked(
    hub: &Hub,
    authenticated: &Authenticated,
    (action, kind): (Action, ListKind),
    found: &Found,
    ask: &Ask,
) -> Fault {
    let about = access(&authenticated.principal, action, kind, (found.server.name().as_str(), &found.name));
    let denial = Denial {
        policy: Some(Arc::clone(&ask.policy)),
        reason: format!("{} wants a person to approve it, which is asked for calls alone", ask.policy),
        needed: "call it, or have the policy changed".to_owned(),
    };
    refused(hub, &about, &denial)
}

/// With which arguments it is asked.
fn given(validated: &Validated) -> Arguments<'_> {
    let range = validated.params().arguments_range.clone();
    let text = range.and_then(|range| validated.message().bytes().get(range));
    Arguments::Given(text.and_then(|bytes| std::str::from_utf8(bytes).ok()))
}

/// Whether policy allows it: by the decision by which lists are made.
///
/// # Errors
/// When it does not.
async fn allowed(
    hub: &Hub,
    authenticated: &Authenticated,
    what: (Action, ListKind),
    found: &Found,
    arguments: Arguments<'_>,
) -> Result<Allowed, Fault> {
    let allowed = judged(hub, authenticated, what, found, arguments).await?;
    // By whatever policy that was decided, who was let in before it is not let in any more where its logins are others.
    let sender = &authenticated.validated.received().sender;
    sender.stands().map_err(|refusal| hub.refused(sender, &refusal))?;
    Ok(allowed)
}

async fn judged(
    hub: &Hub,
    authenticated: &Authenticated,
    what: (Action, ListKind),
    found: &Found,
    arguments: Arguments<'_>,
) -> Result<Allowed, Fault> {
    let snapshot = hub.snapshot();
    let Authenticated { validated, principal, .. } = authenticated;
    let shown = hub.shown(&validated.received().scope, principal);
    // By far the most frequent, and it must cost nothing: the local user of a hub without rules.
    if shown.is_everything() && snapshot.policy().is_free(principal) {
        return Ok(Allowed::default());
    }
    let around = around(hub, validated);
    let about = access(principal, what.0, what.1, (found.server.name().as_str(), &found.name));
    let hints = if what.1 == ListKind::Tools { Box::pin(said(hub, validated, found)).await } else { about.hints };
    decided(hub, &shown, &Access { hints, arguments, around: around.surroundings(), ..about })
}

/// # Errors
/// When policy does not allow it.
fn decided(hub: &Hub, shown: &Shown, about: &Access<'_>) -> Result<Allowed, Fault> {
    let Decided { decision, permits } = decide_by(hub.snapshot().policy(), shown, about);
    match decision {
        Decision::Allow => Ok(Allowed { ask: None, permits }),
        // What began with an approval is asked about without one.
        Decision::Approve(_) if matches!(about.arguments, Arguments::Unknown) => Ok(Allowed { ask: None, permits }),
        Decision::Approve(ask) => Ok(Allowed { ask: Some(ask), permits }),
        Decision::Deny(denial) => Err(refused(hub, about, &denial)),
    }
}

/// What its server says of the tool. A tool may be called before it was ever listed.
async fn said(hub: &Hub, validated: &Validated, found: &Found) -> Hints {
    let profile = validated.profile();
    let mut state = found.server.catalog_now(profile);
    if !state.is_settled() {
        found.server.settle(profile, hub.limits().settle_wait).await;
        state = found.server.catalog_now(profile);
    }
    state.catalog.map(|catalog| hints(&catalog, &found.name)).unwrap_or_default()
}

/// A refusal: written down, and told with what would be needed (row TOOL-7).
pub(crate) fn refused(hub: &Hub, about: &Access<'_>, denial: &Denial) -> Fault {
    if hub.audit().keeps(EventKind::Decision, Outcome::Denied) {
        let event = Event::new(EventKind::Decision, about.action.as_str(), Outcome::Denied)
            .on(ServerName::parse(about.server).ok().as_ref(), about.name)
            .because(&denial.reason)
            .fact(FieldName::Decision, "deny")
            .fact(FieldName::Policies, vec![denial.policy.as_deref().unwrap_or("none").to_owned()]);
        let event = Event { trace_id: current_trace(), ..event };
        hub.audit().record(Who::from(about.principal), event);
    }
    let fault = Fault::new(FaultKind::Denied, denial.to_string());
    match serde_json::to_string(denial) {
        Ok(data) => fault.with_data(data),
        Err(_) => fault,
    }
}

/// The task that is meant, if its principal may still call the tool that began it.
async fn task(hub: &Hub, authenticated: &Authenticated) -> Result<(Found, Option<Arc<[String]>>), Fault> {
    let Authenticated { validated, principal, .. } = authenticated;
    let Some(sealed) = validated.params().task_id.as_deref() else {
        return Err(Fault::new(FaultKind::InvalidParams, "params: `taskId` is missing"));
    };
    let unknown = || Fault::new(FaultKind::InvalidParams, "params.taskId: there is no such task");
    let task = TaskId::open(hub.seal(), principal, sealed).ok_or_else(unknown)?;
    let here = match &validated.received().scope {
        Scope::All | Scope::Profile(_) => true,
        Scope::One(name) => name.as_str() == task.server,
    };
    let server = hub.snapshot().server(&task.server).cloned().filter(|_| here).ok_or_else(unknown)?;
    let tool = Found { server, name: task.tool };
    // With which arguments it began is not known any more; they were judged then.
    let what = (Action::CallTool, ListKind::Tools);
    let allowed = allowed(hub, authenticated, what, &tool, Arguments::Unknown).await?;
    Ok((Found { name: task.id, ..tool }, allowed.permits))
}

/// The resource that `reader` calls `uri`, if it may read it.
pub(crate) async fn resource_for(hub: &Arc<Hub>, reader: &Reader, uri: &str) -> Result<Found, Fault> {
    let Reader { scope, principal, profile, around, .. } = reader;
    let mut found = hub.view(scope, principal, around, profile).resource(scope, uri);
    if found.is_none() && Box::pin(hub.settle(scope, profile)).await {
        found = hub.view(scope, principal, around, profile).resource(scope, uri);
    }
    let found = found.ok_or_else(|| unknown(ListKind::Resources, uri))?;
    let about = (found.server.name().as_str(), found.name.as_str());
    let about = access(principal, Action::ReadResource, ListKind::Resources, about);
    let about = Access { around: around.surroundings(), arguments: Arguments::Given(None), ..about };
    match decided(hub, &hub.shown(scope, principal), &about)?.ask {
        None => Ok(found),
        Some(ask) => {
            Err(Fault::new(FaultKind::Denied, format!("{} wants a person to approve each reading", ask.policy)))
        }
    }
}

/// Looks the name up in what all servers offer, and again when some had not said yet.
async fn find(hub: &Arc<Hub>, admitted: &Admitted, kind: ListKind, name: &str) -> Option<Found> {
    let Authenticated { validated, principal, .. } = admitted.authenticated();
    let scope = &validated.received().scope;
    let look = |view: &View| match kind {
        ListKind::Tools | ListKind::Prompts => view.named(scope, kind, name),
        ListKind::Resources => view.resource(scope, name),
        ListKind::Templates => view.template(scope, name),
    };
    let around = around(hub, validated);
    let found = look(&hub.view(scope, principal, &around, validated.profile()));
    if found.is_none() && Box::pin(hub.settle(scope, validated.profile())).await {
        return look(&hub.view(scope, principal, &around, validated.profile()));
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
