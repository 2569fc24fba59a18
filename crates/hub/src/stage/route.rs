//! `Authorized → Routed`: one link to one server, and the message as that server has to see it.

use std::sync::Arc;

use omni_protocol::{Era, Method, Splice, member};
use omni_proxy::{Link, Outgoing, Place, Profile, Server};
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::calls::unless_cancelled;
use crate::log_level::replay;
use crate::parking::Parked;
use crate::session::Session;
use crate::stage::authorize::Authorized;
use crate::stage::fit::fits;
use crate::stage::mirror::mirror;
use crate::stage::passage::identity;
use crate::stage::translate::request_params;
use crate::stage::validate::{Caller, Validated};
use crate::task_id::are_sealed;

/// A message on its way to one server.
#[derive(Debug)]
pub struct Routed {
    pub(super) authorized: Authorized,
    pub(super) link: Arc<Link>,
    pub(super) going: Going,
    pub(super) place: Place,
}

/// What goes over the link.
#[derive(Debug)]
pub(super) enum Going {
    /// A request.
    Out(Outgoing),
    /// The client's answers to what the server asked in the middle of a call that waits.
    Back(Box<Parked>),
}

/// Holds the arguments against the tool's schema, finds the link and rewrites what has to be: id, name or URI, progress token, `_meta` across eras.
///
/// # Errors
/// When the arguments do not fit, more is asked of the server than may be, or it cannot be reached.
pub async fn route(hub: &Arc<Hub>, mut authorized: Authorized) -> Result<Routed, Fault> {
    let slot = authorized.admitted.permit.take();
    let validated = &authorized.admitted.authenticated.validated;
    let Some(found) = authorized.found() else {
        return Err(Fault::new(FaultKind::Internal, "a message about no server was to be routed"));
    };
    if let Some(ask) = &authorized.ask {
        // A flow that asks nobody does not get past this.
        return Err(Fault::new(FaultKind::Denied, format!("{} wants a person to approve it", ask.policy)));
    }
    let principal = &authorized.admitted.authenticated.principal;
    hub.snapshot().throttle().call(principal, found.server.name().as_str(), &found.name)?;
    let booked = authorized.admitted.booked.as_ref();
    fits(hub, validated, found).await?;
    // A server that is slow fills its own places and its own queue, both bounded, and nothing of the hub's.
    drop(slot);
    let entering = async { found.server.enter(|| hub.account(principal)).await.map_err(|e| found.server.fault(&e)) };
    let place = unless_cancelled(booked, entering).await?;
    if let Some(parked) = parked(hub, &authorized)? {
        let link = Arc::clone(parked.messages.link());
        if link.server() != found.server.name() {
            // What was allowed now is another server's than what waits.
            let why = "params.requestState: the name belongs to another server now";
            return Err(Fault::new(FaultKind::InvalidParams, why));
        }
        return Ok(Routed { authorized, link, going: Going::Back(Box::new(parked)), place });
    }
    let linking = link_for(&found.server, validated.profile(), validated.caller.session());
    let link = unless_cancelled(booked, linking).await?;
    if link.version().era() == Era::Legacy && validated.params().request_state.is_some() {
        // The server makes no states, and the hub did not make this one for this call.
        let why = "params.requestState: not made by this hub for this call, or by one that was started anew since";
        return Err(Fault::new(FaultKind::InvalidParams, why));
    }
    let mut outgoing = outgoing(hub, validated, &found.name, &link)?;
    outgoing.headers = mirror(hub, validated, &found.name, &found.server, &link).await?;
    Ok(Routed { authorized, link, going: Going::Out(outgoing), place })
}

/// The call that waits for this one: a client of 2026-07-28 comes back with answers.
fn parked(hub: &Hub, authorized: &Authorized) -> Result<Option<Parked>, Fault> {
    let authenticated = &authorized.admitted.authenticated;
    let validated = &authenticated.validated;
    let (Caller::Modern(_), Some(state)) = (&validated.caller, &validated.params().request_state) else {
        return Ok(None);
    };
    let identity = identity(validated, &authenticated.principal);
    hub.parking().take(hub.seal(), &identity, state).transpose()
}

/// The link on which the calls of a client of `profile` to `server` run.
pub(crate) async fn link_for(
    server: &Arc<Server>,
    profile: &Profile,
    session: Option<&Arc<Session>>,
) -> Result<Arc<Link>, Fault> {
    let link = server.link(profile).await.map_err(|e| server.fault(&e))?;
    if let Some(session) = session {
        if session.has_ended() {
            // It ended while the link was made: nobody else would end that.
            server.end_session(session.id());
            return Err(Fault::new(FaultKind::SessionNotFound, "the session ended in the meantime"));
        }
        attach(session, server, &link).await;
    }
    Ok(link)
}

/// A session uses a link of its own: what the server says on it goes to the session's stream, at its log level.
async fn attach(session: &Arc<Session>, server: &Arc<Server>, link: &Arc<Link>) {
    if link.key().session.is_none() {
        return;
    }
    if session.has_stream() {
        Box::pin(server.stream_opened(link)).await;
    }
    if session.log_level().is_some() {
        Box::pin(replay(session, link)).await;
    }
}

/// Tasks of the two eras are different things, and none is carried to the other. Nothing ran yet.
fn refuse_task(validated: &Validated, link: &Link) -> Result<(), Fault> {
    let method = validated.method();
    let asks_for_one = || {
        method == Some(&Method::ToolsCall)
            && validated.caller.session().is_some()
            && validated.message().params().is_some_and(|params| member(params, "task").is_some())
    };
    if !method.is_some_and(Method::is_of_task) && !asks_for_one() {
        return Ok(());
    }
    let (server, speaks, wanted) = (link.server(), link.version().as_str(), validated.version().as_str());
    let why = format!("server `{server}` speaks {speaks} here, to which tasks of {wanted} are not carried");
    Err(Fault::new(FaultKind::MethodNotFound, why))
}

fn outgoing(hub: &Hub, validated: &Validated, name: &str, link: &Arc<Link>) -> Result<Outgoing, Fault> {
    let message = validated.message();
    let params = validated.params();
    let id = link.next_id();
    let mut splice = Splice::new();
    if let Some(range) = message.id_range() {
        splice.replace(range, id.to_string().into_bytes());
    }
    let progress = params.meta.as_ref().and_then(|m| m.progress_token.clone());
    let own_token = progress.filter(|_| link.shares_channel());
    let crosses = validated.version().era() != link.version().era();
    let is_known = !matches!(message.method(), Some(Method::Other(_)));
    if crosses {
        refuse_task(validated, link)?;
        let name = if is_known { Some(name) } else { None };
        let text = request_params(validated, name, own_token.as_ref().map(|_| id), link)?;
        match message.params_range() {
            Some(range) => splice.replace(range, text.into_bytes()),
            None => {
                // The message is an object with at least `jsonrpc` in it.
                let at = message.bytes().iter().position(|b| *b == b'{').unwrap_or(0) + 1;
                splice.replace(at..at, format!("\"params\":{text},").into_bytes());
            }
        }
    } else {
        let is_task = message.method().is_some_and(Method::is_of_task)
            && are_sealed(hub, validated.version().era(), &validated.received().scope);
        let task = if is_task { (&params.task_id_range, &params.task_id) } else { (&None, &None) };
        let renamed = [(&params.name_range, &params.name), (&params.uri_range, &params.uri), task];
        for (range, current) in renamed {
            if let (Some(range), Some(current)) = (range, current)
                && is_known
                && current != name
            {
                splice.replace(range.clone(), serde_json::Value::from(name).to_string().into_bytes());
            }
        }
        if let (Some(_), Some(range)) = (&own_token, params.meta.as_ref().and_then(|m| m.progress_token_range.clone()))
        {
            splice.replace(range, id.to_string().into_bytes());
        }
    }
    let method = message.method().cloned().unwrap_or_else(|| Method::parse(""));
    let is_named =
        matches!(method, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead) || method.is_of_task();
    Ok(Outgoing {
        body: splice.apply(message.bytes()).into(),
        id,
        method,
        name: (is_named && link.version().era() == Era::Modern).then(|| name.to_owned()),
        headers: Vec::new(),
        progress_token: own_token,
    })
}
