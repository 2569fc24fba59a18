//! `/approvals`: calls that wait for an administrator's word are listed, approved and denied.

use omni_hub::{Action, AdminError, ApprovalRow, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::problem::Problem;
use crate::admin::reply::Done;
use crate::admin::request::next_cursor;
use crate::admin::route::{Answering, PAGE, Param, Route, Verb, reads};

/// States an approval is asked by.
const STATES: [&str; 5] = ["waiting", "approved", "denied", "expired", "withdrawn"];

/// A call that waits, or waited.
#[derive(Debug, Serialize, JsonSchema)]
struct Approval {
    id: String,
    /// `waiting`, `approved`, `denied`, `expired`, or `withdrawn`: its caller did not wait.
    state: String,
    /// Whose call it is.
    principal: String,
    /// What is to be done, such as `tools/call`.
    action: String,
    server: String,
    /// The tool, prompt or resource.
    name: String,
    /// JSON text of the arguments; long ones are cut off.
    arguments: String,
    /// SHA-256 of the arguments as they would be sent: what is approved is this and nothing else.
    arguments_sha256: String,
    /// The policy that asks.
    policy: String,
    /// Why it asks.
    reason: String,
    asked_at: i64,
    /// Until when the call waits.
    expires_at: i64,
    decided_at: Option<i64>,
    decided_by: Option<String>,
    note: Option<String>,
}

/// Approvals, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Approvals {
    approvals: Vec<Approval>,
    /// For the next page; not there on the last.
    next_cursor: Option<String>,
}

/// A refusal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Deny {
    /// Why, for the caller.
    #[schemars(length(max = 1024))]
    note: Option<String>,
}

/// An agreement: there is nothing to add.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Approve {}

impl From<ApprovalRow> for Approval {
    fn from(row: ApprovalRow) -> Self {
        Self {
            id: row.id,
            state: row.state,
            principal: row.principal,
            action: row.action,
            server: row.server,
            name: row.name,
            arguments: row.arguments,
            arguments_sha256: row.arguments_digest,
            policy: row.policy,
            reason: row.reason,
            asked_at: row.asked_at,
            expires_at: row.expires_at,
            decided_at: row.decided_at,
            decided_by: row.decided_by,
            note: row.note,
        }
    }
}

const STATE: Param = Param {
    name: "state",
    what: "Only those in this state; without it, all that are kept.",
    schema: r#"{"type":"string","enum":["waiting","approved","denied","expired","withdrawn"]}"#,
};

pub(super) const LIST: Route = Route {
    summary: "Calls that wait for an administrator's word, and those that did, oldest first.",
    query: &[STATE, PAGE[0], PAGE[1]],
    ..reads(
        "/approvals",
        "approvals-list",
        |ask| {
            Box::pin(async move {
                let (page, state) = (ask.page()?, ask.query.get("state").map(String::as_str));
                if let Some(state) = state.filter(|state| !STATES.contains(state)) {
                    let states = STATES.join(", ");
                    return Err(Problem::invalid(format!("`{state}` is no state; there are: {states}")));
                }
                let approvals = ask.administration.hub().approvals();
                let rows = if state == Some("waiting") {
                    // What waits here, also where nothing is kept.
                    let after = page.after.clone();
                    let mut rows = approvals.waiting();
                    rows.retain(|row| after.as_ref().is_none_or(|(at, id)| (row.asked_at, &row.id) > (*at, id)));
                    rows.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
                    rows
                } else {
                    approvals.history(state, &page).await.map_err(AdminError::from)?
                };
                let next = next_cursor(&page, rows.len(), rows.last().map(|row| (row.asked_at, row.id.as_str())));
                Done::ok(&Approvals { approvals: rows.into_iter().map(Approval::from).collect(), next_cursor: next })
            })
        },
        |schemas| schemas.subschema_for::<Approvals>(),
    )
};

pub(super) const APPROVE: Route = Route {
    method: Verb::Post,
    action: Action::AdminApprovals,
    summary: "Lets a call that waits run, once.",
    request: Some(|schemas| schemas.subschema_for::<Approve>()),
    request_optional: true,
    problems: &[404, 507],
    ..reads(
        "/approvals/{approval}/approve",
        "approvals-approve",
        |ask| -> Answering<'_> {
            Box::pin(async move {
                let Approve {} = ask.body_or_default()?;
                let verdict = Verdict::Approved { by: ask.by.to_string() };
                let approvals = ask.administration.hub().approvals();
                Done::ok(&Approval::from(approvals.decide(&ask.named, verdict).await.map_err(AdminError::from)?))
            })
        },
        |schemas| schemas.subschema_for::<Approval>(),
    )
};

pub(super) const DENY: Route = Route {
    method: Verb::Post,
    action: Action::AdminApprovals,
    summary: "Refuses a call that waits.",
    request: Some(|schemas| schemas.subschema_for::<Deny>()),
    request_optional: true,
    problems: &[404, 507],
    ..reads(
        "/approvals/{approval}/deny",
        "approvals-deny",
        |ask| -> Answering<'_> {
            Box::pin(async move {
                let Deny { note } = ask.body_or_default()?;
                let verdict = Verdict::Denied { by: ask.by.to_string(), note };
                let approvals = ask.administration.hub().approvals();
                Done::ok(&Approval::from(approvals.decide(&ask.named, verdict).await.map_err(AdminError::from)?))
            })
        },
        |schemas| schemas.subschema_for::<Approval>(),
    )
};
