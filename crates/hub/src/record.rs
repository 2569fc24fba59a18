//! The record of one call: opened and closed by the dispatcher, so that every end of a call is written once.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use omni_audit::{
    Audit, Event, EventKind, FieldName, FieldValue, NotRecorded, Origin, Outcome, Phase, Recording, Resource, Who,
};
use omni_protocol::{Method, member};
use omni_telemetry::TraceId;
use omni_types::{Fault, FaultKind, Principal, ServerName};

use crate::session::CLIENT_INFO_BYTES_MAX;
use crate::stage::{Authorized, Caller, Received, Validated};

/// What is written as the action of a message that could not be read.
const UNREADABLE: &str = "unreadable";

/// The same of a client's answer to what a server asked.
const RESPONSE: &str = "response";

/// What is known of one call (row TOOL-6).
#[derive(Debug)]
pub(crate) struct CallRecord {
    audit: Audit,
    began: Instant,
    principal: Principal,
    trace: TraceId,
    origin: Origin,
    action: Option<Action>,
    server: Option<ServerName>,
    item: Option<String>,
    asked: bool,
    /// The policies that allowed it.
    permits: Option<Arc<[String]>>,
    arguments: Option<Arguments>,
    /// Set once its beginning is on record: joins that to its end.
    call: Option<u128>,
    closed: bool,
}

/// What the message is, once it was read.
#[derive(Debug, Clone)]
enum Action {
    /// One whose every end is on record.
    Call(Method),
    /// One that reaches no server on anybody's account: a list, a ping, a notification.
    Other(Option<Method>),
}

#[derive(Debug)]
struct Arguments {
    sha256: [u8; 32],
    clear: Option<String>,
}

impl CallRecord {
    /// Opens the record.
    pub(crate) fn open(audit: &Audit, received: &Received) -> Self {
        let traceparent = received.headers.forwarded.iter().find(|(name, _)| name == "traceparent");
        let trace = traceparent.and_then(|(_, value)| TraceId::of_traceparent(value.to_str().ok()?));
        let origin = Origin {
            address: received.sender.address(),
            transport: Some(received.channel.transport()),
            revision: received.session.as_ref().map(|session| session.version.as_str()),
            client_info: received.session.as_ref().map(|session| Arc::clone(&session.client_info)),
        };
        Self {
            audit: audit.clone(),
            began: Instant::now(),
            principal: received.sender.principal().clone(),
            trace: trace.unwrap_or_else(TraceId::fresh),
            origin,
            action: None,
            server: None,
            item: None,
            asked: false,
            permits: None,
            arguments: None,
            call: None,
            closed: false,
        }
    }

    /// Writes down what the message says of itself, as it came.
    pub(crate) fn read(&mut self, validated: &Validated) {
        let Some(method) = validated.method().filter(|method| is_call(method) && validated.message().id().is_some())
        else {
            self.action = Some(Action::Other(validated.method().cloned()));
            return;
        };
        self.action = Some(Action::Call(method.clone()));
        let params = validated.params();
        if let Some(trace) = params.meta.as_ref().and_then(|meta| TraceId::of_traceparent(meta.traceparent.as_deref()?))
        {
            self.trace = trace;
        }
        // What it is about, should it not be found.
        self.item = params.name.clone().or_else(|| params.uri.clone());
        if !self.audit.keeps(EventKind::Call, Outcome::Success) {
            return;
        }
        self.origin.revision = Some(validated.version().as_str());
        if let Caller::Modern(meta) = validated.caller() {
            let info = meta.client_info.as_deref().filter(|info| info.len() <= CLIENT_INFO_BYTES_MAX);
            self.origin.client_info = info.map(Arc::from);
        }
        let range = params.arguments_range.clone();
        if let Some(bytes) = range.and_then(|range| validated.message().bytes().get(range)) {
            let mut sha256 = [0; 32];
            sha256.copy_from_slice(digest(&SHA256, bytes).as_ref());
            let clear = self.audit.keeps_arguments().then(|| String::from_utf8_lossy(bytes).into_owned());
            self.arguments = Some(Arguments { sha256, clear });
        }
    }

    /// The trace that the call is a part of.
    pub(crate) const fn trace(&self) -> TraceId {
        self.trace
    }

    /// Whether more is to be said of it than that it came.
    pub(crate) const fn is_of_call(&self) -> bool {
        matches!(self.action, Some(Action::Call(_)))
    }

    /// Writes down what it is about.
    pub(crate) fn what(&mut self, authorized: Authorized) -> Authorized {
        if let Some(found) = authorized.found() {
            self.server = Some(found.server.name().clone());
            self.item = Some(found.name.clone());
        }
        self.asked = authorized.asks();
        self.permits = authorized.permits();
        authorized
    }

    /// Before it is sent to its server: where nothing may be done without its record, returns when that is durable.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) async fn begin(&mut self) -> Result<(), Fault> {
        if !self.audit.is_strict() || !self.is_of_call() {
            return Ok(());
        }
        let call = TraceId::fresh().bits();
        let mut event = self.event(Outcome::Pending, None, false);
        event.phase = Some((Phase::Begun, call));
        let recorded = self.audit.record_durably(Who::from(&self.principal), event).await;
        recorded
            .map_err(|error| not_recorded("the call was not made: the audit log does not take its record", &error))?;
        self.call = Some(call);
        Ok(())
    }

    /// Closes the record with the call's end. Where nothing may be answered without its record, what it returns is ready
    /// when that is durable.
    pub(crate) fn finish(&mut self, end: End<'_>) -> Option<Recording> {
        if mem::replace(&mut self.closed, true) {
            return None;
        }
        let event = self.last(end)?;
        let who = Who::from(&self.principal);
        // What was not done for want of a record needs none before it is told.
        let unrecorded = matches!(end, End::Fault(fault, _) if fault.kind() == FaultKind::NotRecorded);
        if self.audit.is_strict() && !unrecorded {
            return Some(self.audit.record_durably(who, event));
        }
        self.audit.record(who, event);
        None
    }

    /// The same, and waits for it.
    ///
    /// # Errors
    /// When the record cannot be made durable.
    pub(crate) async fn close(&mut self, end: End<'_>) -> Result<(), Fault> {
        match self.finish(end) {
            Some(recording) => recording.await.map_err(|error| withheld(&error)),
            None => Ok(()),
        }
    }

    fn last(&mut self, end: End<'_>) -> Option<Event> {
        let outcome = match end {
            End::Answered { is_error: false } => Outcome::Success,
            End::Answered { is_error: true } => Outcome::Failed,
            End::Fault(fault, _) => match fault.kind() {
                FaultKind::Denied | FaultKind::InsufficientScope | FaultKind::Unauthenticated => Outcome::Denied,
                FaultKind::Cancelled => Outcome::Cancelled,
                _ => Outcome::Failed,
            },
        };
        // What concerns no server is on record where it was refused.
        let matters = match (&self.action, end) {
            (Some(Action::Call(_)), _) => true,
            (Some(Action::Other(_)) | None, End::Fault(fault, _)) => {
                outcome == Outcome::Denied || self.action.is_none() && fault.kind() != FaultKind::SessionRequired
            }
            _ => false,
        };
        if !matters || !self.audit.keeps(EventKind::Call, outcome) {
            return None;
        }
        let fault = match end {
            End::Fault(fault, _) => Some(fault),
            End::Answered { .. } => None,
        };
        let mut event = self.event(outcome, fault, true);
        event.phase = self.call.map(|call| (Phase::Ended, call));
        event.duration = Some(self.began.elapsed());
        match end {
            End::Answered { is_error: true } => event = event.fact(FieldName::Error, "server_error"),
            End::Fault(_, Some(id)) => event = event.fact(FieldName::ErrorId, id),
            _ => {}
        }
        Some(event)
    }

    /// An event of what is known; the last one of a call has it for itself.
    fn event(&mut self, outcome: Outcome, fault: Option<&Fault>, is_last: bool) -> Event {
        let action: Cow<'static, str> = match &self.action {
            Some(Action::Call(method) | Action::Other(Some(method))) => method.name(),
            Some(Action::Other(None)) => RESPONSE.into(),
            None => UNREADABLE.into(),
        };
        let mut event = Event::new(EventKind::Call, action, outcome);
        event.origin = if is_last { mem::take(&mut self.origin) } else { self.origin.clone() };
        event.trace_id = Some(self.trace);
        let name = if is_last { self.item.take() } else { self.item.clone() };
        event.resource = name.map(|name| Resource { server: self.server.clone(), name });
        if let Some(arguments) = &mut self.arguments {
            event.arguments_sha256 = Some(arguments.sha256);
            // In the first of two records.
            if let Some(clear) = arguments.clear.take() {
                event = event.fact(FieldName::Arguments, clear);
            }
        }
        // Where something else went wrong, too: it was allowed.
        if fault.is_none_or(|fault| denied_by(fault).is_none()) {
            event.permits.clone_from(&self.permits);
        }
        match fault {
            None if self.server.is_some() => {
                event.facts.push((FieldName::Decision, FieldValue::from(if self.asked { "approve" } else { "allow" })));
            }
            None => {}
            Some(fault) => {
                event.reason = Some(fault.to_string());
                event.facts.push((FieldName::Error, FieldValue::from(fault.kind().as_str())));
                if let Some(policy) = denied_by(fault) {
                    event = event.fact(FieldName::Decision, "deny").fact(FieldName::Policies, vec![policy]);
                } else if self.server.is_some() {
                    event = event.fact(FieldName::Decision, if self.asked { "approve" } else { "allow" });
                }
            }
        }
        event
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End<'a> {
    /// Its server answered.
    Answered {
        /// It says that it failed.
        is_error: bool,
    },
    /// It did not come to that; with the id under which the client was told.
    Fault(&'a Fault, Option<&'a str>),
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        // A dropped connection or a panic ends a call without an outcome of its own. Nobody waits for it any more.
        if !self.closed {
            let fault = Fault::new(FaultKind::Cancelled, "the call was let go");
            if let Some(event) = self.last(End::Fault(&fault, None)) {
                self.audit.record(Who::from(&self.principal), event);
            }
        }
    }
}

/// Whether a server does something for its caller. Lists are answered from what the hub knows.
const fn is_call(method: &Method) -> bool {
    matches!(
        method,
        Method::ToolsCall
            | Method::PromptsGet
            | Method::ResourcesRead
            | Method::ResourcesSubscribe
            | Method::ResourcesUnsubscribe
            | Method::Complete
            | Method::TasksGet
            | Method::TasksUpdate
            | Method::TasksCancel
            | Method::TasksResult
            | Method::Other(_)
    )
}

/// The policy that denied it.
fn denied_by(fault: &Fault) -> Option<String> {
    if fault.kind() != FaultKind::Denied {
        return None;
    }
    let policy = member(fault.data()?, "policy")?;
    Some(serde_json::from_str(policy.get()).unwrap_or_else(|_| "none".to_owned()))
}

/// The call was made, and its end cannot be put on record.
pub(crate) fn withheld(error: &NotRecorded) -> Fault {
    not_recorded("the answer is withheld: the audit log does not take the record of the call's end", error)
}

fn not_recorded(what: &str, error: &NotRecorded) -> Fault {
    Fault::new(FaultKind::NotRecorded, format!("{what} (audit.mode: strict)")).with_private(error.to_string())
}
