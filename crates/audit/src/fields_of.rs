//! An event and who caused it, as the fields that the log keeps.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::class::Class;
use crate::event::Event;
use crate::field::{EventField, FIELDS, FieldName, FieldSpec, FieldValue};
use crate::record::{Field, Value};
use crate::told::Told;
use crate::who::Who;

impl Event {
    /// The fields of this event on the account of `who`, in the order of their numbers, each within its bound.
    #[must_use]
    pub fn into_fields(self, who: &Who) -> Vec<EventField> {
        let client = self.origin.client_info.as_deref().and_then(client);
        let mut fields = Vec::with_capacity(FIELDS.len() / 2);
        self.each_field(who, client.as_deref(), |spec, value| {
            fields.push(EventField { name: spec.field, value: value.into() });
        });
        fields
    }

    /// Tells the same, and makes nothing that need not be made: every call is written down. `client` is what [`client`]
    /// makes of the client's own words.
    pub(crate) fn each_field(
        &self,
        who: &Who,
        client: Option<&str>,
        mut tell: impl FnMut(&'static FieldSpec, Told<'_>),
    ) {
        let call = self.phase.map(|(_, call)| hex(call));
        let trace = self.trace_id.map(|trace| hex(trace.bits()));
        let address = self.origin.address.filter(|a| !a.is_unspecified()).map(written);
        let mut fields = Fields([None; FIELDS.len()]);
        fields.text(FieldName::Kind, self.kind.as_str());
        fields.text(FieldName::Action, &self.action);
        fields.text(FieldName::Outcome, self.outcome.as_str());
        if let (Some((phase, _)), Some(call)) = (self.phase, &call) {
            fields.text(FieldName::Phase, phase.as_str());
            fields.text(FieldName::Call, digits(call));
        }
        if let Some(resource) = &self.resource {
            fields.some_text(FieldName::Server, resource.server.as_ref().map(|server| server.as_str()));
            fields.text(FieldName::Name, &resource.name);
        }
        if let Some(duration) = self.duration {
            fields.put(FieldName::DurationUs, Told::Number(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)));
        }
        fields.some_text(FieldName::TraceId, trace.as_ref().map(digits));
        fields.some_text(FieldName::Transport, self.origin.transport.map(|transport| transport.as_str()));
        fields.some_text(FieldName::Revision, self.origin.revision);
        fields.some_text(FieldName::Address, address.as_deref());
        fields.some_text(FieldName::Client, client);
        fields.who(who);
        fields.some_text(FieldName::Reason, self.reason.as_deref());
        if let Some(digest) = &self.arguments_sha256 {
            fields.put(FieldName::ArgumentsSha256, Told::Digest(digest));
        }
        if let Some(permits) = &self.permits {
            fields.put(FieldName::Policies, Told::List(permits));
        }
        for (name, value) in &self.facts {
            fields.put(*name, value.told());
        }
        for (spec, value) in FIELDS.iter().zip(fields.0) {
            if let Some(value) = value {
                spec.within(value, |value| tell(spec, value));
            }
        }
    }
}

/// What is known of an event, each at the place of its number.
struct Fields<'a>([Option<Told<'a>>; FIELDS.len()]);

impl<'a> Fields<'a> {
    /// What was put first stays: a fact may not speak for what the event itself says.
    fn put(&mut self, name: FieldName, value: Told<'a>) {
        let place = &mut self.0[usize::from(name.number()) - 1];
        if place.is_none() && name.spec().takes(value) {
            *place = Some(value);
        }
    }

    fn text(&mut self, name: FieldName, text: &'a str) {
        self.put(name, Told::Text(text));
    }

    fn some_text(&mut self, name: FieldName, text: Option<&'a str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn who(&mut self, who: &'a Who) {
        match who {
            Who::Principal(principal) => {
                self.text(FieldName::PrincipalKind, principal.kind().as_str());
                self.text(FieldName::Principal, principal.id());
                self.some_text(FieldName::Issuer, principal.issuer());
                self.some_text(FieldName::Tenant, principal.tenant());
                self.some_text(FieldName::OauthClient, principal.client());
            }
            Who::Anonymous => self.text(FieldName::PrincipalKind, "anonymous"),
            Who::System => self.text(FieldName::PrincipalKind, "system"),
        }
    }
}

/// An address as it is written; every call has one, and the usual way is dear.
fn written(address: IpAddr) -> String {
    let mut text = String::with_capacity(16);
    let IpAddr::V4(address) = address.to_canonical() else {
        let _never = write!(text, "{}", address.to_canonical());
        return text;
    };
    for (place, byte) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        for (over, ten) in [(99, 100), (9, 10), (0, 1)] {
            if byte > over || ten == 1 {
                text.push(char::from(b'0' + byte / ten % 10));
            }
        }
    }
    text
}

fn hex(number: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (place, byte) in number.to_be_bytes().into_iter().enumerate() {
        digits[2 * place] = b"0123456789abcdef"[usize::from(byte >> 4)];
        digits[2 * place + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    digits
}

fn digits(hex: &[u8; 32]) -> &str {
    // ASCII by its making.
    std::str::from_utf8(hex).unwrap_or_default()
}

impl From<EventField> for Field {
    fn from(field: EventField) -> Self {
        let spec = field.name.spec();
        let value = match field.value {
            FieldValue::Text(text) => Value::Text(text),
            FieldValue::Number(number) => Value::Number(number),
            FieldValue::Digest(digest) => Value::Bytes(digest.to_vec()),
            FieldValue::List(list) => Value::List(list),
        };
        Self { name: spec.name.into(), personal: spec.class == Class::Personal, value }
    }
}

/// `name version` of what a client says of itself.
pub(crate) fn client(info: &str) -> Option<String> {
    let info: serde_json::Value = serde_json::from_str(info).ok()?;
    let name = info["name"].as_str()?;
    Some(match info["version"].as_str() {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use omni_types::Principal;

    use crate::{Class, Event, EventKind, FieldName, FieldValue, Origin, Outcome, Transport, Who};

    #[test]
    fn ret_1_an_address_is_written_as_everywhere() {
        for byte in 0..=255 {
            let address = std::net::IpAddr::from([byte, 0, 255 - byte, 10]);
            assert_eq!(super::written(address), address.to_string());
        }
        assert_eq!(super::written("2001:db8::1".parse().unwrap()), "2001:db8::1");
    }

    #[test]
    fn tool_6_who_what_with_what_and_how_it_ended() {
        let mut event = Event::new(EventKind::Call, "tools/call", Outcome::Success).on(None, "commit").from(Origin {
            address: "::ffff:10.0.0.1".parse().ok(),
            transport: Some(Transport::Http),
            revision: Some("2025-11-25"),
            client_info: Some(r#"{"name":"editor","version":"1"}"#.into()),
        });
        event.arguments_sha256 = Some([7; 32]);
        event = event
            .fact(FieldName::Decision, "allow")
            .fact(FieldName::Credential, "Bearer x")
            .fact(FieldName::Outcome, "denied");
        let fields = event.into_fields(&Who::from(&Principal::local("ann")));
        let shown: Vec<(&str, FieldValue)> = fields.iter().map(|f| (f.name.as_str(), f.value.clone())).collect();
        let text = |text: &str| FieldValue::Text(text.to_owned());
        assert_eq!(
            shown,
            [
                ("kind", text("call")),
                ("action", text("tools/call")),
                ("outcome", text("success")),
                ("name", text("commit")),
                ("decision", text("allow")),
                ("transport", text("http")),
                ("revision", text("2025-11-25")),
                ("principal_kind", text("local")),
                ("principal", text("ann")),
                ("address", text("10.0.0.1")),
                ("client", text("editor 1")),
                ("arguments_sha256", FieldValue::Digest([7; 32])),
            ]
        );
        let personal: Vec<&str> =
            fields.iter().filter(|f| f.name.class() == Class::Personal).map(|f| f.name.as_str()).collect();
        assert_eq!(personal, ["principal", "address", "client", "arguments_sha256"]);
    }
}
