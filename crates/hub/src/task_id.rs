//! Ids of tasks (extension `io.modelcontextprotocol/tasks`) as clients see them: sealed, so that one leads back to the
//! server and the tool that made the task, and serves nobody but the principal who began it.

use omni_protocol::Era;
use omni_types::{Fault, FaultKind, Principal};

use crate::Hub;
use crate::scope::Scope;
use crate::seal::Seal;

/// The extension.
pub(crate) const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// What a sealed id stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    /// The server that runs it.
    pub(crate) server: String,
    /// The tool that began it, as the server calls it: policy decides about it again with each request.
    pub(crate) tool: String,
    /// The server's own id.
    pub(crate) id: String,
}

fn context(principal: &Principal) -> String {
    format!("taskId\0{}", principal.binding())
}

impl TaskId {
    /// The id that the client sees.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn seal(&self, seal: &Seal, principal: &Principal) -> Result<String, Fault> {
        let text = serde_json::json!([self.server, self.tool, self.id]).to_string();
        seal.seal(&context(principal), &text).map_err(|_| Fault::new(FaultKind::Internal, "no randomness"))
    }

    /// What the id of a client stands for; `None` for one that this principal was never given.
    pub(crate) fn open(seal: &Seal, principal: &Principal, sealed: &str) -> Option<Self> {
        let text = seal.open(&context(principal), sealed)?;
        let [server, tool, id]: [String; 3] = serde_json::from_str(&text).ok()?;
        Some(Self { server, tool, id })
    }
}

/// Whether clients of `era` know the tasks of `scope` by sealed ids. Those of 2025-11-25 are the server's own business at its own
/// endpoint, but where callers who are told apart share its process: there nobody may find, or guess, another's.
pub(crate) fn are_sealed(hub: &Hub, era: Era, scope: &Scope) -> bool {
    match scope {
        Scope::One(name) if era == Era::Legacy => {
            let shares = hub.snapshot().server(name.as_str()).is_none_or(|server| server.shares_processes());
            shares && !hub.authenticator().is_trusting()
        }
        _ => true,
    }
}

/// Whether a client that declared `capabilities`, a JSON text, knows tasks.
pub(crate) fn knows_tasks(capabilities: &str) -> bool {
    let declared: serde_json::Value = serde_json::from_str(capabilities).unwrap_or_default();
    declared["extensions"][EXTENSION].is_object()
}

/// A request about tasks of a client that did not declare that it knows them.
pub(crate) fn undeclared() -> Fault {
    let data = format!(r#"{{"requiredCapabilities":{{"extensions":{{"{EXTENSION}":{{}}}}}}}}"#);
    Fault::new(FaultKind::MissingCapability, format!("the client did not declare the extension {EXTENSION}"))
        .with_data(data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_types::Principal;

    use super::{TaskId, knows_tasks};
    use crate::seal::Seal;

    #[test]
    fn val_5_a_task_belongs_to_who_began_it() {
        let (seal, one) = (Seal::new(&[7; 32]).unwrap(), Principal::local("one"));
        let task = TaskId { server: "s".into(), tool: "t".into(), id: "a\u{1F600}\"".into() };
        let sealed = task.seal(&seal, &one).unwrap();
        assert_eq!(TaskId::open(&seal, &one, &sealed), Some(task));
        assert_eq!(TaskId::open(&seal, &Principal::local("two"), &sealed), None);
        assert_eq!(TaskId::open(&seal, &one, "a"), None);
    }

    #[test]
    fn trb_4_knowing_tasks_is_declared() {
        assert!(knows_tasks(r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#));
        for not in ["{}", r#"{"extensions":{"io.modelcontextprotocol/tasks":true}}"#, r#"{"tasks":{}}"#] {
            assert!(!knows_tasks(not), "{not}");
        }
    }
}
