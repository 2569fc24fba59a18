//! Questions that clients of 2026-07-28 were sent home with: does the person in front of you approve this call?
//!
//! Each is bound to one call of one caller with its arguments, and answered once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use omni_types::{Fault, FaultKind, random};
use tokio::time::Instant;

use crate::parking::Identity;
use crate::seal::Seal;

/// Questions that may be open.
const OPEN_MAX: usize = 4_096;
/// What the states begin with, so that they are told from those of servers.
const PREFIX: &str = "omni-approval1.";

/// All questions that are open.
#[derive(Debug, Default)]
pub(crate) struct Consents(Mutex<HashMap<String, Instant>>);

fn context(identity: &Identity<'_>) -> String {
    format!("approval\0{}", identity.context())
}

impl Consents {
    /// Opens a question about the call `identity`; the state with which its client comes back.
    ///
    /// # Errors
    /// When too many are open.
    pub(crate) fn open(&self, seal: &Seal, identity: &Identity<'_>, wait: Duration) -> Result<String, Fault> {
        let no_randomness = |_| Fault::new(FaultKind::Internal, "no randomness");
        let place = format!("{:032x}", u128::from_be_bytes(random::<16>().map_err(no_randomness)?));
        let state = seal.seal(&context(identity), &place).map_err(no_randomness)?;
        let now = Instant::now();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_MAX {
            open.retain(|_, until| *until > now);
        }
        if open.len() >= OPEN_MAX {
            return Err(Fault::new(FaultKind::Busy, "too many calls wait for an approval; try again"));
        }
        open.insert(place, now + wait);
        Ok(format!("{PREFIX}{state}"))
    }

    /// The question of `state` is answered. `None` for a state that is none of the hub's questions about this call.
    ///
    /// # Errors
    /// When it is not open any more: there is one answer to one question.
    pub(crate) fn take(&self, seal: &Seal, identity: &Identity<'_>, state: &str) -> Option<Result<(), Fault>> {
        let place = seal.open(&context(identity), state.strip_prefix(PREFIX)?)?;
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
        let gone = || {
            let why = "params.requestState: this approval was used, or its time is over; the call was not made";
            Fault::new(FaultKind::InvalidParams, why)
        };
        Some(until.filter(|until| *until > Instant::now()).map(drop).ok_or_else(gone))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use omni_types::Principal;

    use super::Consents;
    use crate::parking::Identity;
    use crate::scope::Scope;
    use crate::seal::Seal;

    #[test]
    fn tool_7_an_approval_is_for_one_call_and_is_used_once() {
        let (seal, consents, scope) = (Seal::new(&[1; 32]).unwrap(), Consents::default(), Scope::All);
        let (ann, bob) = (Principal::local("ann"), Principal::local("bob"));
        let call = |principal, arguments| Identity {
            principal,
            scope: &scope,
            method: "tools/call",
            name: "t",
            arguments: Some(arguments),
        };
        let long = Duration::from_secs(60);
        let state = consents.open(&seal, &call(&ann, r#"{"n":1}"#), long).unwrap();
        assert!(consents.take(&seal, &call(&bob, r#"{"n":1}"#), &state).is_none(), "another caller");
        assert!(consents.take(&seal, &call(&ann, r#"{"n":2}"#), &state).is_none(), "other arguments");
        assert!(consents.take(&seal, &call(&ann, r#"{ "n": 1 }"#), &state).unwrap().is_ok());
        assert!(consents.take(&seal, &call(&ann, r#"{"n":1}"#), &state).unwrap().is_err(), "a second time");
        let late = consents.open(&seal, &call(&ann, "{}"), Duration::ZERO).unwrap();
        assert!(consents.take(&seal, &call(&ann, "{}"), &late).unwrap().is_err(), "too late");
    }
}
