//! Policy as the Secret Manager asks it: a `forbid` of `secrets/use` takes away what the configuration grants.

use std::sync::{LazyLock, OnceLock, Weak};

use omni_auth::{Access, Action, Arguments, Decision, Policy, local_user};
use omni_hub::Hub;
use omni_secrets::{Judge, Requester};
use omni_types::{Identity, Principal, PrincipalKind};

/// The user that this process runs as.
static LOCAL: LazyLock<Principal> = LazyLock::new(local_user);

/// The policy in force. A server's entry and `secrets.names` are the operator's own grants, so policy need not permit once more;
/// what it forbids, or cannot decide, is given to nobody. The operator's user uses the secret, by the program `server:NAME`,
/// `source:NAME` (of profiles), `profile:NAME` or `hub`.
#[derive(Debug, Default)]
pub(crate) struct InForce(OnceLock<By>);

#[derive(Debug)]
enum By {
    /// The one that is in force at the moment.
    Hub(Weak<Hub>),
    /// That of the configuration, for a command beside which no hub need run.
    Settings(Box<Policy>),
}

impl InForce {
    /// From now on `hub` says which policy that is.
    pub(crate) fn of(&self, hub: Weak<Hub>) {
        // A hub is put together once.
        let _is_set = self.0.set(By::Hub(hub));
    }

    /// From now on it is `policy`.
    pub(crate) fn is(&self, policy: Policy) {
        let _is_set = self.0.set(By::Settings(Box::new(policy)));
    }

    fn decide(&self, access: &Access<'_>) -> Option<Decision> {
        match self.0.get()? {
            By::Hub(hub) => Some(hub.upgrade()?.snapshot().policy().decide(access)),
            By::Settings(policy) => Some(policy.decide(access)),
        }
    }
}

impl Judge for InForce {
    fn refusal(&self, name: &str, requester: &Requester) -> Option<String> {
        let client = match requester {
            Requester::Hub(_) => "hub".to_owned(),
            Requester::Server(name) => format!("server:{name}"),
            Requester::Source(name) => format!("source:{name}"),
            Requester::Profile(name) => format!("profile:{name}"),
        };
        let identity = Identity { client: Some(client), ..Identity::new(PrincipalKind::LocalUser, LOCAL.id()) };
        let principal = Principal::build(identity);
        let mut access = Access::new(&principal, Action::UseSecret, "", name);
        access.arguments = Arguments::Given(None);
        let Some(decision) = self.decide(&access) else { return Some("the hub is not up".to_owned()) };
        match decision {
            Decision::Allow => None,
            Decision::Approve(ask) => {
                Some(format!("{} wants a person to approve, and nobody is there to be asked", ask.policy))
            }
            Decision::Deny(denial) => denial.policy.as_ref().map(|policy| format!("{policy}: {}", denial.reason)),
        }
    }
}
