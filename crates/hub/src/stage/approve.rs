//! `Authorized → Authorized`: a person's word, where policy demands one (row TOOL-7).
//!
//! The person in front of the client is asked through it, in the way of its era; where it cannot ask, or policy wants an
//! administrator's word, the call waits for one (`omni approvals`), if there is a way to ask them. A word is for one call of one caller with these arguments: it is taken by
//! the call that waits for it, and there is no second one.

use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use omni_audit::{Event, EventKind, FieldName, Outcome, Who};
use omni_auth::{Approver, Ask};
use omni_protocol::{Splice, member};
use omni_telemetry::current_trace;
use omni_types::{Fault, FaultKind};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::Hub;
use crate::approvals::{ApprovalError, Asked, Verdict};
use crate::calls::unless_cancelled;
use crate::session::Session;
use crate::stage::authenticate::Authenticated;
use crate::stage::authorize::Authorized;
use crate::stage::input::{InputRequest, fits, input_required, legacy_request, without_round};
use crate::stage::passage::identity;
use crate::stage::sanitize::Sanitized;
use crate::stage::validate::{Caller, Validated};

/// The name of the question among those of `inputRequests`.
const KEY: &str = "omni-approval";
/// Characters of the arguments that a person is shown.
const SHOWN_CHARS_MAX: usize = 1_000;

/// What came of it.
#[derive(Debug)]
pub enum Approval {
    /// The call may go on.
    Given(Authorized),
    /// The client is asked first, and makes the call again with the answer.
    Asked(Sanitized),
}

/// Gets a person's word where policy demands one.
///
/// # Errors
/// When nobody gives it.
pub async fn approve(hub: &Arc<Hub>, mut authorized: Authorized) -> Result<Approval, Fault> {
    let Some(ask) = authorized.ask.take() else { return Ok(Approval::Given(authorized)) };
    // Boxed, it does not weigh on the many calls that nobody is asked about.
    Box::pin(asked(hub, authorized, ask)).await
}

async fn asked(hub: &Arc<Hub>, mut authorized: Authorized, ask: Arc<Ask>) -> Result<Approval, Fault> {
    // A person may take minutes: others get the call's slot meanwhile.
    drop(authorized.admitted.permit.take());
    let question = question(&authorized, &ask);
    let validated = &authorized.admitted.authenticated.validated;
    let principal = &authorized.admitted.authenticated.principal;
    if let (Caller::Modern(_), Some(state)) = (&validated.caller, &validated.params().request_state) {
        if hub.parking().holds(hub.seal(), &identity(validated, principal), state) {
            // It was approved when it began, and waits for what its server asked.
            return Ok(Approval::Given(authorized));
        }
        if let Some(waited) = hub.consents().take(hub.seal(), &identity(validated, principal), state) {
            waited?;
            settle(hub, &authorized, &ask, said(validated))?;
            forget_round(&mut authorized)?;
            return Ok(Approval::Given(authorized));
        }
    }
    let may_ask = ask.approver == Approver::Caller;
    match &validated.caller {
        Caller::Modern(meta) if may_ask && fits(validated.version(), &meta.client_capabilities, &question) => {
            let state = hub.consents().open(hub.seal(), &identity(validated, principal), hub.limits().input_wait)?;
            let params = question.params.as_deref().unwrap_or("{}");
            let request = format!(r#"{{"method":"{}","params":{params}}}"#, question.method);
            let result = input_required(std::iter::once((KEY, request.as_str())), Some(&state), None);
            Ok(Approval::Asked(Sanitized::own(validated.message().id().unwrap_or("null"), &result)))
        }
        Caller::Session(session)
            if may_ask && session.has_stream() && fits(session.version, &session.profile.capabilities, &question) =>
        {
            let answer = in_session(hub, &authorized, session, &question).await?;
            settle(hub, &authorized, &ask, answer)?;
            Ok(Approval::Given(authorized))
        }
        _ => {
            by_administrator(hub, &authorized, &ask).await?;
            Ok(Approval::Given(authorized))
        }
    }
}

/// What the person is asked, as a server of 2026-07-28 would ask it.
fn question(authorized: &Authorized, ask: &Ask) -> InputRequest {
    let validated = &authorized.admitted.authenticated.validated;
    let method = validated.method().map_or("", omni_protocol::Method::as_str);
    let (server, name) = authorized.found().map_or(("", ""), |found| (found.server.name().as_str(), &*found.name));
    let arguments = plain(arguments(validated), SHOWN_CHARS_MAX);
    let wish = if ask.message.is_empty() { "Policy wants your word for this call." } else { ask.message.as_str() };
    let message = format!("{wish}\n{method} {server}:{} {arguments}", plain(name, SHOWN_CHARS_MAX));
    let schema = json!({
        "type": "object",
        "properties": { "approve": { "type": "boolean", "title": "Approve this call, once" } },
        "required": ["approve"],
    });
    let params = json!({ "message": message, "requestedSchema": schema }).to_string();
    InputRequest { key: KEY.to_owned(), method: "elicitation/create".to_owned(), params: Some(params) }
}

fn arguments(validated: &Validated) -> &str {
    let range = validated.params().arguments_range.clone();
    let bytes = range.and_then(|range| validated.message().bytes().get(range));
    bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("{}")
}

/// A stranger's text must not pass for the hub's own words: no line breaks, nothing that is not seen.
fn plain(text: &str, chars_max: usize) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown: String = text.chars().take(chars_max).map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect();
    // Who agrees to what they see has to know that there is more.
    let left = text.chars().skip(chars_max).count();
    if left > 0 {
        shown.push_str(&format!(" [... and {left} more characters, which are not shown]"));
    }
    shown
}

/// What the person said, in a client's answer to the question.
fn yes(result: &str) -> bool {
    let value: Value = serde_json::from_str(result).unwrap_or_default();
    value["action"] == "accept" && value["content"]["approve"] == true
}

/// What the person said who was asked in the round before.
fn said(validated: &Validated) -> bool {
    let range = validated.params().input_responses_range.clone();
    let given = range.and_then(|range| std::str::from_utf8(&validated.message().bytes()[range]).ok());
    given.and_then(|given| member(given, KEY)).is_some_and(|answer| yes(answer.get()))
}

/// Asks a client of an earlier revision on its standing stream.
async fn in_session(
    hub: &Hub,
    authorized: &Authorized,
    session: &Arc<Session>,
    question: &InputRequest,
) -> Result<bool, Fault> {
    let busy = || Fault::new(FaultKind::Busy, "too many requests wait for this client");
    let server = authorized.found().map(|found| found.server.name().clone());
    let Some(server) = server else { return Err(Fault::new(FaultKind::Internal, "nothing to ask about")) };
    let (to, answer) = oneshot::channel();
    let number = session.ask_for_hub(&server, to).ok_or_else(busy)?;
    if !session.outbox.request(&Bytes::from(legacy_request(number, question))) {
        return Err(busy());
    }
    let wait = hub.limits().input_wait;
    let answered = async {
        match tokio::time::timeout(wait, answer).await {
            Ok(Ok(answer)) => Ok(answer.result().is_some_and(yes)),
            Ok(Err(_)) => Err(Fault::new(FaultKind::SessionNotFound, "the session ended before its client answered")),
            Err(_) => Ok(false),
        }
    };
    unless_cancelled(authorized.admitted.booked.as_ref(), answered).await
}

/// Waits for an administrator's word (`omni approvals`).
async fn by_administrator(hub: &Hub, authorized: &Authorized, ask: &Ask) -> Result<(), Fault> {
    if !hub.approvals().are_attended() {
        return Err(refused(
            ask,
            "the client has no way to ask for it (elicitation), and no administrator can be asked here",
        ));
    }
    let Authenticated { validated, principal, .. } = authorized.admitted.authenticated();
    let found = authorized.found().map(|found| (found.server.name().as_str().to_owned(), found.name.clone()));
    let (server, name) = found.unwrap_or_default();
    let arguments = arguments(validated);
    let sha256 = digest::digest(&digest::SHA256, arguments.as_bytes());
    let asked = Asked {
        principal: principal.clone(),
        action: validated.method().map_or("", omni_protocol::Method::as_str).to_owned(),
        server,
        name,
        arguments: plain(arguments, SHOWN_CHARS_MAX),
        arguments_sha256: sha256.as_ref().try_into().unwrap_or_default(),
        policy: ask.policy.to_string(),
        reason: ask.message.clone(),
        wait: hub.limits().input_wait,
    };
    let pending = hub.approvals().ask(asked).await.map_err(|error| match error {
        ApprovalError::Full(_) => Fault::new(FaultKind::Busy, error.to_string()),
        other => refused(ask, "it cannot be asked for now").with_private(other.to_string()),
    })?;
    let booked = authorized.admitted.booked.as_ref();
    match unless_cancelled(booked, async { Ok(pending.verdict().await) }).await? {
        Verdict::Approved { .. } => Ok(()),
        Verdict::Denied { note, .. } => {
            let note = note.map(|note| format!(": {note}")).unwrap_or_default();
            Err(refused(ask, &format!("an administrator did not approve it{note}")))
        }
        Verdict::Expired => Err(refused(ask, "no administrator decided in time")),
    }
}

/// Writes down what the person said who calls; a no ends the call.
fn settle(hub: &Hub, authorized: &Authorized, ask: &Ask, yes: bool) -> Result<(), Fault> {
    let outcome = if yes { Outcome::Success } else { Outcome::Denied };
    let authenticated = authorized.admitted.authenticated();
    if hub.audit().keeps(EventKind::Approval, outcome) {
        let mut event = Event::new(EventKind::Approval, "approvals/decide", outcome)
            .because("the person in front of the client decided")
            .fact(FieldName::Policies, vec![ask.policy.to_string()]);
        event.trace_id = current_trace();
        if let Some(found) = authorized.found() {
            event = event.on(Some(found.server.name()), &*found.name);
        }
        hub.audit().record(Who::from(&authenticated.principal), event);
    }
    if yes { Ok(()) } else { Err(refused(ask, "the person who was asked did not approve it")) }
}

fn refused(ask: &Ask, why: &str) -> Fault {
    let reason = format!("policy {} wants a person's word: {why}", ask.policy);
    let data = json!({ "policy": &*ask.policy, "reason": reason, "needed": "an approval would be needed" });
    Fault::new(FaultKind::Denied, reason).with_data(data.to_string())
}

/// The server did not ask, and is not to see the answer.
fn forget_round(authorized: &mut Authorized) -> Result<(), Fault> {
    let validated = &mut authorized.admitted.authenticated.validated;
    let message = validated.message();
    let (Some(params), Some(range)) = (message.params(), message.params_range()) else { return Ok(()) };
    let params = without_round(params)
        .map_err(|e| Fault::new(FaultKind::Internal, "the call cannot go on").with_private(e.to_string()))?;
    let mut splice = Splice::new();
    splice.replace(range, params.into_bytes());
    let body = splice.apply(message.bytes());
    validated.rewrite(body)
}

#[cfg(test)]
mod tests {
    use super::{plain, yes};

    #[test]
    fn tool_7_only_a_yes_is_a_yes() {
        assert!(yes(r#"{"action":"accept","content":{"approve":true}}"#));
        for no in [
            r#"{"action":"accept"}"#,
            r#"{"action":"accept","content":{"approve":"true"}}"#,
            r#"{"action":"accept","content":{"approve":false}}"#,
            r#"{"action":"decline","content":{"approve":true}}"#,
            r#"{"content":{"approve":true}}"#,
            "",
        ] {
            assert!(!yes(no), "{no}");
        }
    }

    #[test]
    fn tool_7_arguments_do_not_speak_for_the_hub() {
        assert_eq!(plain("a\n\nApproved\u{202e}!", 100), "a\u{fffd}\u{fffd}Approved\u{fffd}!");
        assert_eq!(plain("abc", 3), "abc");
        assert_eq!(plain("abcd", 2), "ab [... and 2 more characters, which are not shown]");
    }
}
