//! `subscriptions/listen`: a client of 2026-07-28 hears of changes on one long stream.

use std::collections::VecDeque;
use std::sync::Arc;

use omni_protocol::{ListKind, meta_keys, notification};
use omni_types::{Fault, FaultKind};
use serde::Deserialize;

use crate::Hub;
use crate::listening::ListenStream;
use crate::reply::Reply;
use crate::stage::{Validated, authenticate};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
}

/// Opens the stream. The acknowledgment names what is honoured: changes of lists. Updates of single resources are not
/// carried to clients of 2026-07-28 yet and so not acknowledged.
pub(crate) fn listen(hub: &Arc<Hub>, validated: Validated) -> Result<Reply, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let validated = authenticated.validated();
    let message = validated.message();
    let Some(range) = validated.params().notifications_range.clone() else {
        return Err(Fault::new(FaultKind::InvalidParams, "params: `notifications` is missing"));
    };
    let filter: Filter = serde_json::from_slice(&message.bytes()[range])
        .map_err(|e| Fault::new(FaultKind::InvalidParams, format!("params.notifications: {e}")))?;
    let scope = validated.received().scope.clone();
    let events = hub.events().subscribe();
    hub.wake(&scope, validated.profile());
    let mut kinds = Vec::new();
    let mut honoured = Vec::new();
    for (wanted, kind, name) in [
        (filter.tools_list_changed, ListKind::Tools, "toolsListChanged"),
        (filter.prompts_list_changed, ListKind::Prompts, "promptsListChanged"),
        (filter.resources_list_changed, ListKind::Resources, "resourcesListChanged"),
    ] {
        if wanted {
            kinds.push(kind);
            honoured.push(format!(r#""{name}":true"#));
        }
    }
    let id = message.id().unwrap_or("null").to_owned();
    let params =
        format!(r#"{{"_meta":{{"{}":{id}}},"notifications":{{{}}}}}"#, meta_keys::SUBSCRIPTION_ID, honoured.join(","));
    let acknowledged = notification("notifications/subscriptions/acknowledged", Some(&params)).into();
    let ready = VecDeque::from([acknowledged]);
    Ok(Reply::Listening(Box::new(ListenStream { id, scope, kinds, events, ready, ended: false })))
}
