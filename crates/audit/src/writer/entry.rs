//! What the writer takes from the queue: an event with its time, encoded as a record to be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::Event;
use crate::fields_of::client;
use crate::record::{Draft, DraftRoom, Field};
use crate::who::Who;

/// Client programs whose words are kept as they are written down.
const CLIENTS_MAX: usize = 256;

/// A record to be.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) time_us: u64,
    pub(super) body: Body,
    /// Whose the personal fields are.
    pub(super) who: Option<Who>,
}

/// What a record says.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// An event, encoded.
    Draft(Draft),
    /// Fields that are no event's, or too long to be written whole.
    Fields(Vec<Field>),
    /// The same, in clear.
    Plain(Vec<Field>),
}

/// What is used again from one entry to the next.
#[derive(Debug, Default)]
pub(super) struct Drafting {
    room: DraftRoom,
    clients: HashMap<Arc<str>, Option<String>>,
}

impl Drafting {
    /// The entry of an event.
    pub(super) fn entry(&mut self, time_us: u64, who: Who, event: Event) -> Entry {
        let Self { room, clients } = self;
        let client = event.origin.client_info.as_ref().and_then(|info| {
            if clients.len() == CLIENTS_MAX && !clients.contains_key(info) {
                clients.clear();
            }
            clients.entry(Arc::clone(info)).or_insert_with(|| client(info)).as_deref()
        });
        room.clear();
        event.each_field(&who, client, |spec, value| room.add(spec, value));
        match room.draft() {
            Some(draft) => {
                let who = draft.has_personal().then_some(who);
                Entry { time_us, body: Body::Draft(draft), who }
            }
            None => Entry::of_fields(time_us, who, event, None),
        }
    }
}

impl Entry {
    /// The entry of an event with one more field.
    pub(super) fn of_fields(time_us: u64, who: Who, event: Event, more: Option<Field>) -> Self {
        let fields: Vec<Field> = event.into_fields(&who).into_iter().map(Field::from).chain(more).collect();
        let who = fields.iter().any(|field| field.personal).then_some(who);
        Self { time_us, body: Body::Fields(fields), who }
    }
}

/// Microseconds since 1970, UTC.
pub(super) fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use omni_types::{Identity, Principal, PrincipalKind, ServerName};
    use proptest::prelude::*;

    use super::{Body, Drafting, Entry};
    use crate::field::{FIELDS, FieldValue};
    use crate::record::{PlainRecord, Seal};
    use crate::{Event, EventKind, Origin, Outcome, Phase, Transport, Who};

    const LOG: [u8; 16] = [3; 16];

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![8 => ".{0,12}", 1 => (0..1200_usize).prop_map(|n| "ü".repeat(n)), 1 => (0..20_000_usize).prop_map(|n| "x".repeat(n))]
    }

    fn value() -> impl Strategy<Value = FieldValue> {
        prop_oneof![
            text().prop_map(FieldValue::Text),
            any::<u64>().prop_map(FieldValue::Number),
            any::<[u8; 32]>().prop_map(FieldValue::Digest),
            prop::collection::vec(text(), 0..8).prop_map(FieldValue::List),
        ]
    }

    fn who() -> impl Strategy<Value = Who> {
        let known = (text(), prop::option::of(text())).prop_map(|(id, issuer)| {
            let mut identity = Identity::new(PrincipalKind::Token, id);
            identity.issuer = issuer;
            Who::from(&Principal::build(identity))
        });
        prop_oneof![Just(Who::Anonymous), Just(Who::System), known]
    }

    fn event() -> impl Strategy<Value = Event> {
        let facts = prop::collection::vec((0..FIELDS.len(), value()), 0..12);
        let told = (text(), prop::option::of(text()), prop::option::of(any::<[u8; 32]>()), any::<(u64, u128, bool)>());
        (told, facts).prop_map(|((name, reason, digest, (us, call, server)), facts)| {
            let server = server.then(|| ServerName::parse("git").unwrap());
            let mut event = Event::new(EventKind::Call, "tools/call", Outcome::Failed).on(server.as_ref(), name);
            event.reason = reason;
            event.arguments_sha256 = digest;
            event.duration = Some(Duration::from_micros(us));
            event.permits =
                (us % 2 == 0).then(|| ["role developer (1)".to_owned(), "p".repeat(us as usize % 3000)].into());
            event.phase = Some((Phase::Ended, call));
            event.origin = Origin {
                address: "10.1.2.3".parse().ok(),
                transport: Some(Transport::Http),
                revision: Some("2025-11-25"),
                client_info: Some(r#"{"name":"editor","version":"1"}"#.into()),
            };
            event.facts = facts.into_iter().map(|(place, value)| (FIELDS[place].field, value)).collect();
            event
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        /// The short way to a record's bytes and the long one, which `docs/AUDIT.md` describes, are the same way.
        #[test]
        fn ret_1_a_draft_is_sealed_to_the_bytes_of_its_fields(who in who(), event in event(), keyed in any::<bool>()) {
            let (data, person) = (Seal::new([1; 8], &[1; 32]).unwrap(), Seal::new([2; 8], &[2; 32]).unwrap());
            let person = keyed.then_some(&person);
            let long = Entry::of_fields(7, who.clone(), event.clone(), None);
            let Body::Fields(fields) = &long.body else { panic!("fields") };
            let expected = PlainRecord { index: 5, time_us: 7, fields }.seal(&LOG, &data, person).unwrap();
            let mut drafting = Drafting::default();
            let entry = drafting.entry(7, who, event);
            prop_assert_eq!(&entry.who, &long.who);
            if let Body::Draft(draft) = entry.body {
                let mut bytes = vec![9];
                draft.seal((5, 7), &LOG, (&data, person), &mut bytes).unwrap();
                prop_assert_eq!(&bytes[1..], &expected[..]);
            } else {
                prop_assert!(expected.len() > 30_000, "{} bytes went the long way", expected.len());
            }
        }
    }
}
