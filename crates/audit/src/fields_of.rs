//! An event and who caused it, as the fields that the log keeps.

use omni_telemetry::TraceId;

use crate::class::Class;
use crate::event::{Event, Origin};
use crate::field::{EventField, FieldName, FieldValue};
use crate::record::{Field, Value};
use crate::who::Who;

/// Fields of a usual event, so that their list is not moved while it grows.
const USUAL: usize = 20;

impl Event {
    /// The fields of this event on the account of `who`, in the order of their numbers, each within its bound.
    #[must_use]
    pub fn into_fields(self, who: &Who) -> Vec<EventField> {
        let Self {
            kind,
            action,
            resource,
            outcome,
            phase,
            reason,
            arguments_sha256,
            duration,
            trace_id,
            origin,
            facts,
        } = self;
        let mut fields = Fields(Vec::with_capacity(USUAL));
        fields.add(FieldName::Kind, kind.as_str());
        fields.add(FieldName::Action, action.into_owned());
        fields.add(FieldName::Outcome, outcome.as_str());
        if let Some((phase, call)) = phase {
            fields.add(FieldName::Phase, phase.as_str());
            fields.add(FieldName::Call, format!("{call:032x}"));
        }
        if let Some(resource) = resource {
            fields.add_some(FieldName::Server, resource.server.map(|server| server.as_str().to_owned()));
            fields.add(FieldName::Name, resource.name);
        }
        fields.add_some(FieldName::DurationUs, duration.map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)));
        fields.add_some(FieldName::TraceId, trace_id.as_ref().map(TraceId::to_string));
        fields.origin(origin);
        fields.who(who);
        fields.add_some(FieldName::Reason, reason);
        fields.add_some(FieldName::ArgumentsSha256, arguments_sha256);
        for (name, value) in facts {
            fields.add(name, value);
        }
        fields.0.sort_by_key(|field| field.name);
        // A fact may not speak for what the event itself says.
        fields.0.dedup_by_key(|field| field.name);
        fields.0
    }
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

struct Fields(Vec<EventField>);

impl Fields {
    fn add(&mut self, name: FieldName, value: impl Into<FieldValue>) {
        self.0.extend(EventField::new(name, value));
    }

    fn add_some(&mut self, name: FieldName, value: Option<impl Into<FieldValue>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    fn origin(&mut self, origin: Origin) {
        let Origin { address, transport, revision, client_info } = origin;
        self.add_some(FieldName::Transport, transport.map(|transport| transport.as_str()));
        self.add_some(FieldName::Revision, revision);
        self.add_some(
            FieldName::Address,
            address.filter(|a| !a.is_unspecified()).map(|address| address.to_canonical().to_string()),
        );
        self.add_some(FieldName::Client, client_info.as_deref().and_then(client));
    }

    fn who(&mut self, who: &Who) {
        match who {
            Who::Principal(principal) => {
                self.add(FieldName::PrincipalKind, principal.kind().as_str());
                self.add(FieldName::Principal, principal.id());
                self.add_some(FieldName::Issuer, principal.issuer());
                self.add_some(FieldName::Tenant, principal.tenant());
                self.add_some(FieldName::OauthClient, principal.client());
            }
            Who::Anonymous => self.add(FieldName::PrincipalKind, "anonymous"),
            Who::System => self.add(FieldName::PrincipalKind, "system"),
        }
    }
}

/// `name version` of what a client says of itself.
fn client(info: &str) -> Option<String> {
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
