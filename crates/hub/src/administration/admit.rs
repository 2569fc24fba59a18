//! An administrator who comes over the network: what they do is decided by policy and counted as every call is.

use omni_auth::{Access, Action, Arguments, Decision, Identified, Surroundings};
use omni_types::{Fault, FaultKind, PrincipalKind};

use crate::administration::handle::Administration;
use crate::throttle::Share;

/// By what policies call the hub itself.
const HUB: &str = "hub";

/// One thing that an administrator does; its place among its principal's calls in flight is given back when this is dropped.
#[derive(Debug)]
pub struct AdminCall {
    _share: Option<Share>,
}

impl Administration {
    /// Whether `sender` may do `action` with the hub.
    ///
    /// # Errors
    /// When they are not let in any more, ask for too much, or policy does not allow it.
    pub fn admit(&self, sender: &Identified, action: Action) -> Result<AdminCall, Fault> {
        sender.stands().map_err(|refusal| Fault::new(FaultKind::Unauthenticated, refusal.public()))?;
        let principal = sender.principal();
        let denied = |why: String| Err(Fault::new(FaultKind::Denied, why));
        if principal.kind() == PrincipalKind::LocalUser {
            // A client's token is for a client: who runs the hub has its socket.
            return denied(
                "tokens of `omni connect` are for MCP alone: use the socket, or a key with the role".to_owned(),
            );
        }
        let snapshot = self.hub.snapshot();
        let share = snapshot.throttle().admit(principal, sender.address())?;
        let around = Surroundings { address: sender.address(), ..Surroundings::default() };
        let access = Access { around, arguments: Arguments::Given(None), ..Access::new(principal, action, "", HUB) };
        match snapshot.policy().decide(&access) {
            Decision::Allow => {}
            Decision::Deny(denial) => return denied(denial.to_string()),
            Decision::Approve(ask) => {
                return denied(format!("{} wants a person's word, which is asked for calls alone", ask.policy));
            }
        }
        // By whatever policy that was decided: where its logins are others, who was let in before is not any more.
        sender.stands().map_err(|refusal| Fault::new(FaultKind::Unauthenticated, refusal.public()))?;
        Ok(AdminCall { _share: share })
    }
}
