//! Policy as the Secret Manager asks it: a `forbid` of `secrets/use` takes away what the configuration grants.

use std::sync::{OnceLock, Weak};

use omni_auth::{Access, Action, Arguments, Decision};
use omni_hub::Hub;
use omni_secrets::{Judge, Requester};
use omni_types::{Identity, Principal, PrincipalKind};

/// The policy in force. A server's entry and `secrets.names` are the operator's own grants, so policy need not permit once more;
/// what it forbids, or cannot decide, is given to nobody. The operator's user uses the secret, by the program `server:NAME` or
/// `profile:NAME`.
#[derive(Debug, Default)]
pub(crate) struct InForce(OnceLock<Weak<Hub>>);

impl InForce {
    /// From now on `hub` says which policy that is.
    pub(crate) fn of(&self, hub: Weak<Hub>) {
        // A hub is put together once.
        let _is_set = self.0.set(hub);
    }
}

impl Judge for InForce {
    fn refusal(&self, name: &str, requester: &Requester) -> Option<String> {
        let Some(hub) = self.0.get().and_then(Weak::upgrade) else { return Some("the hub is not up".to_owned()) };
        // As it is told to people, "server `NAME`", and as policies write it: "server:NAME".
        let client = requester.to_string().replacen(" `", ":", 1).trim_end_matches('`').to_owned();
        let identity =
            Identity { client: Some(client), ..Identity::new(PrincipalKind::LocalUser, hub.local().principal().id()) };
        let principal = Principal::build(identity);
        let mut access = Access::new(&principal, Action::UseSecret, "", name);
        access.arguments = Arguments::Given(None);
        match hub.snapshot().policy().decide(&access) {
            Decision::Allow => None,
            Decision::Approve(ask) => {
                Some(format!("{} wants a person to approve, and nobody is there to be asked", ask.policy))
            }
            Decision::Deny(denial) => denial.policy.as_ref().map(|policy| format!("{policy}: {}", denial.reason)),
        }
    }
}
