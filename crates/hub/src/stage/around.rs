//! From where a request comes, as far as policies look at it.

use crate::Hub;
use crate::access::Around;
use crate::stage::validate::{Caller, Parts};

/// From where `validated` comes. Nothing is read that no policy asks for.
pub(crate) fn around(hub: &Hub, validated: &Parts) -> Around {
    if hub.snapshot().policy().looks_around() { around_for_long(validated) } else { Around::default() }
}

/// The same for what outlasts the policy of today.
pub(crate) fn around_for_long(validated: &Parts) -> Around {
    let client_info = match validated.caller() {
        Caller::Modern(meta) => meta.client_info.as_deref(),
        Caller::Session(session) => Some(session.profile.client_info.as_str()),
        Caller::Handshake => None,
    };
    Around::new(client_info, validated.version().as_str(), validated.received().sender.address())
}
