//! The schema of events as a document: what an archive of seven years is read by.

use serde_json::{Value, json};

use crate::field::FIELDS;
use crate::kind::{EventKind, KINDS, OUTCOMES};

/// The version of the schema. A field or kind that is added keeps it; one whose meaning changes gets a new number instead.
pub const SCHEMA_VERSION: u16 = 1;

/// The schema as a JSON document.
#[must_use]
pub fn schema() -> Value {
    let fields: Vec<Value> = FIELDS
        .iter()
        .map(|spec| {
            json!({
                "number": spec.field.number(),
                "name": spec.name,
                "class": spec.class.as_str(),
                "form": spec.form.as_str(),
                "bytes_max": spec.bytes_max,
                "about": spec.about,
            })
        })
        .collect();
    let kinds: Vec<Value> = KINDS
        .into_iter()
        .map(|kind| json!({ "kind": kind.as_str(), "about": about(kind), "actions": actions(kind) }))
        .collect();
    let outcomes: Vec<&str> = OUTCOMES.iter().map(|outcome| outcome.as_str()).collect();
    json!({ "version": SCHEMA_VERSION, "kinds": kinds, "outcomes": outcomes, "fields": fields })
}

/// The schema as it is committed.
#[must_use]
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

const fn about(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Authentication => {
            "Somebody was let in (once for each token and address, and for each session), or not (each time)."
        }
        EventKind::Decision => "Policy said no, or wanted a person's word.",
        EventKind::Call => {
            "A tool, prompt or resource was used, or would have been; one record, or two in strict mode."
        }
        EventKind::Approval => "A person said yes or no to one call.",
        EventKind::Secret => "A secret was given out: asked for, still kept, or had of a fallback; or it was not.",
        EventKind::Profile => "A profile was loaded or applied.",
        EventKind::Configuration => "The hub started or stopped, its configuration changed, or a change was refused.",
        EventKind::Administration => "An administrator did something.",
        EventKind::Log => "Something befell the log itself.",
    }
}

/// What is done under a kind. Methods of servers and routes of the admin API may be others.
const fn actions(kind: EventKind) -> &'static [&'static str] {
    match kind {
        EventKind::Authentication => &["login", "session/open"],
        EventKind::Decision => &["call_tool", "get_prompt", "read_resource", "complete"],
        EventKind::Call => &[
            "tools/call",
            "prompts/get",
            "resources/read",
            "resources/subscribe",
            "resources/unsubscribe",
            "completion/complete",
            "tasks/get",
            "tasks/update",
            "tasks/cancel",
            "tasks/result",
        ],
        EventKind::Approval => &["approvals/decide"],
        EventKind::Secret => &["secrets/resolve", "secrets/hit", "secrets/fall-back"],
        EventKind::Profile => &["profiles/load", "profiles/apply"],
        EventKind::Configuration => &["hub/start", "hub/stop", "configuration/reload"],
        EventKind::Administration => {
            &["admin/connect", "keys/create", "keys/revoke", "keys/rotate", "revocations/create", "store/migrate"]
        }
        EventKind::Log => &["log/shed", "log/recover", "log/rotate-key", "log/prune"],
    }
}

#[cfg(test)]
mod tests {
    use super::schema_text;

    /// The schema may not change silently: records of years are read by it.
    #[test]
    fn ret_1_the_committed_schema_is_the_one_that_is_made() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit-events.json");
        if std::env::var_os("OMNI_BLESS").is_some() {
            assert!(std::fs::write(path, schema_text()).is_ok());
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == schema_text(), "run this test with OMNI_BLESS=1 and look at the diff of {path}");
    }
}
