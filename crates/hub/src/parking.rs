//! Calls of clients of 2026-07-28 that wait, on a server of an earlier revision, for what the server asked in between.
//!
//! The client was answered `input_required` with a sealed `requestState` and comes again with it. Nothing of the call is
//! in that state but where it waits, so a call is never begun a second time: one whose place is empty is refused.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use indexmap::IndexMap;
use omni_protocol::members;
use omni_proxy::Messages;
use omni_types::{Fault, FaultKind, NoRandomness, Principal, ServerName, random};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::scope::Scope;
use crate::seal::Seal;

/// Of the calls that may wait, how many may wait for one server: its share is no other's.
const SHARE_OF_ONE: usize = 4;
/// What the hub's own states begin with; servers of 2026-07-28 have states of their own.
const PREFIX: &str = "omni1.";

/// A request of the server's that waits for the client's answer.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Under which name the client is asked.
    pub(crate) key: String,
    /// JSON text of the id under which the server asked.
    pub(crate) id: String,
    /// JSON text of the request as `inputRequests` holds it: `method` and `params`.
    pub(crate) request: String,
}

/// A call that waits.
#[derive(Debug)]
pub(crate) struct Parked {
    /// What the server says next. When it is dropped, the call is cancelled at the server.
    pub(crate) messages: Messages,
    /// What it waits for.
    pub(crate) asked: Vec<Asked>,
    /// JSON text of the progress token that the server knows.
    pub(crate) token: Option<String>,
}

/// What a call is, so that a state serves that one alone.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Whose it is.
    pub principal: &'a Principal,
    /// At which endpoint it came.
    pub scope: &'a Scope,
    /// Its method.
    pub method: &'a str,
    /// What it calls.
    pub name: &'a str,
    /// JSON text.
    pub arguments: Option<&'a str>,
}

/// All calls that wait.
#[derive(Debug)]
pub(crate) struct Parking {
    places: Mutex<IndexMap<String, (Instant, Parked)>>,
    max: usize,
    wait: Duration,
}

impl Identity<'_> {
    /// The text that a state is bound to. Arguments count by their meaning: a client may write them anew.
    pub(crate) fn context(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        update(&mut context, self.arguments.unwrap_or("null"));
        let digest = omni_types::hex(context.finish().as_ref());
        format!(
            "requestState\0{:?}\0{}\0{}\0{}\0{digest}",
            self.scope,
            self.principal.binding(),
            self.method,
            self.name
        )
    }

    /// The `requestState` with which the client of this call comes back to `place`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn sealed(&self, seal: &Seal, place: &str) -> Result<String, NoRandomness> {
        Ok(format!("{PREFIX}{}", seal.seal(&self.context(), place)?))
    }

    /// The place to which `state` leads; `None` for one that the hub did not make for this call.
    #[must_use]
    pub fn opened(&self, seal: &Seal, state: &str) -> Option<String> {
        seal.open(&self.context(), state.strip_prefix(PREFIX)?)
    }
}

/// Feeds the JSON `text` with its members in the order of their names. Numbers count as they are written: two that are one as
/// floating point may be two for a server.
fn update(context: &mut digest::Context, text: &str) {
    if let Ok(mut found) = members(text) {
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        context.update(b"{");
        for (name, member) in found {
            context.update(Value::from(name.as_ref()).to_string().as_bytes());
            update(context, member.get());
        }
        context.update(b"}");
    } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        context.update(b"[");
        for item in items {
            update(context, item.get());
            context.update(b",");
        }
        context.update(b"]");
    } else if let Ok(string) = serde_json::from_str::<String>(text) {
        context.update(Value::from(string).to_string().as_bytes());
    } else {
        context.update(text.trim().as_bytes());
    }
}

impl Parking {
    /// Places for `max` calls, each of which waits at most `wait` for its client.
    pub(crate) fn new(max: usize, wait: Duration) -> Self {
        Self { places: Mutex::default(), max, wait }
    }

    /// Puts a call aside; the state with which its client comes back.
    ///
    /// # Errors
    /// When too many calls wait. The call is cancelled at its server.
    pub(crate) fn park(&self, seal: &Seal, identity: &Identity<'_>, parked: Parked) -> Result<String, Fault> {
        let no_randomness = |_| Fault::new(FaultKind::Internal, "no randomness");
        let number = u128::from_be_bytes(random::<16>().map_err(no_randomness)?);
        let place = format!("{number:032x}");
        let state = identity.sealed(seal, &place).map_err(no_randomness)?;
        let server: ServerName = parked.messages.link().server().clone();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let of_server = places.values().filter(|(_, p)| *p.messages.link().server() == server).count();
        if places.len() >= self.max || of_server >= self.max.div_ceil(SHARE_OF_ONE) {
            let why = format!("server `{server}` asks for input, and too many calls wait for input already; try again");
            return Err(Fault::new(FaultKind::Busy, why));
        }
        places.insert(place, (Instant::now() + self.wait, parked));
        Ok(state)
    }

    /// The call that waits under `state`. `None` for a state that the hub did not make for this call.
    ///
    /// # Errors
    /// When the hub made it, but the call does not wait any more.
    pub(crate) fn take(&self, seal: &Seal, identity: &Identity<'_>, state: &str) -> Option<Result<Parked, Fault>> {
        let place = identity.opened(seal, state)?;
        let found = self.places.lock().unwrap_or_else(PoisonError::into_inner).swap_remove(&place);
        let gone = || {
            let why = "params.requestState: the call does not wait any more (it was answered, or its time is over); \
                       it was not made again";
            Fault::new(FaultKind::InvalidParams, why)
        };
        Some(found.filter(|(until, _)| *until > Instant::now()).map(|(_, parked)| parked).ok_or_else(gone))
    }

    /// Whether the call `identity` waits under `state`.
    pub(crate) fn holds(&self, seal: &Seal, identity: &Identity<'_>, state: &str) -> bool {
        identity
            .opened(seal, state)
            .is_some_and(|place| self.places.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&place))
    }

    /// Lets go of calls whose clients did not come back in time.
    pub(crate) fn expire(&self) {
        let now = Instant::now();
        let mut expired: Vec<_> = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            places.extract_if(.., |_, (until, _)| *until <= now).map(|(_, expired)| expired).collect()
        };
        expired.sort_by_key(|(until, _)| *until);
        // Cancelled at their servers, outside the lock, in the order in which their time ran out.
        drop(expired);
    }

    /// Calls that wait.
    pub(crate) fn len(&self) -> usize {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_types::Principal;

    use super::Identity;
    use crate::scope::Scope;

    #[test]
    fn val_5_a_state_is_bound_to_one_call_of_one_principal() {
        let (one, two) = (Principal::local("one"), Principal::local("two"));
        let all = Scope::All;
        let of = |principal, method, name, arguments| {
            Identity { principal, scope: &all, method, name, arguments: Some(arguments) }.context()
        };
        let call = of(&one, "tools/call", "t", r#"{"a":1,"b":[{"x":1,"y":2}]}"#);
        assert_eq!(call, of(&one, "tools/call", "t", r#"{ "b": [{"y":2,"x":1}], "a": 1 }"#));
        for other in [
            of(&two, "tools/call", "t", r#"{"a":1,"b":[{"x":1,"y":2}]}"#),
            of(&one, "prompts/get", "t", r#"{"a":1,"b":[{"x":1,"y":2}]}"#),
            of(&one, "tools/call", "u", r#"{"a":1,"b":[{"x":1,"y":2}]}"#),
            of(&one, "tools/call", "t", r#"{"a":1,"b":[{"x":1,"y":3}]}"#),
            of(&one, "tools/call", "t", r#"{"a":1,"b":[{"x":1},{"y":2}]}"#),
        ] {
            assert_ne!(call, other);
        }
    }

    #[test]
    fn val_5_numbers_past_a_double_do_not_make_two_calls_one() {
        let (principal, scope) = (&Principal::local("one"), &Scope::All);
        let of = |arguments| Identity { principal, scope, method: "tools/call", name: "t", arguments }.context();
        for (approved, sent) in [
            (Some(r#"{"to":"a","n":1e999}"#), Some(r#"{"to":"b","n":1e999}"#)),
            (Some(r#"{"to":"a","n":1e999}"#), None),
            (Some(r#"{"n":18446744073709551617}"#), Some(r#"{"n":18446744073709551618}"#)),
            (Some(r#"{"to":"a","n":"\ud800"}"#), Some(r#"{"to":"b","n":"\ud800"}"#)),
        ] {
            assert_ne!(of(approved), of(sent), "{approved:?} and {sent:?}");
        }
    }
}
