//! What becomes of the hub itself, on record: its start and end, its configuration and each change of it.

use aws_lc_rs::digest::{SHA256, digest};
use omni_audit::{Event, EventKind, FieldName, Outcome, Who};
use omni_hub::Hub;
use serde_json::{Map, Value};

use crate::config::Settings;

/// The hub has started with `settings`.
pub(crate) fn started(hub: &Hub, settings: &Settings) {
    let names: Vec<String> = settings.servers.keys().map(|name| format!("+{name}")).collect();
    let event = Event::new(EventKind::Configuration, "hub/start", Outcome::Success)
        .fact(FieldName::HubVersion, env!("CARGO_PKG_VERSION"))
        .fact(FieldName::ConfigSha256, sha256(settings))
        .fact(FieldName::Servers, names);
    hub.audit().record(Who::System, event);
}

/// The hub stops.
pub(crate) fn stopped(hub: &Hub) {
    hub.audit().record(Who::System, Event::new(EventKind::Configuration, "hub/stop", Outcome::Success));
}

/// `new` is in force in the place of `old`.
pub(crate) fn reloaded(hub: &Hub, old: &Settings, new: &Settings) {
    let event = Event::new(EventKind::Configuration, "configuration/reload", Outcome::Success)
        .fact(FieldName::ConfigSha256, sha256(new))
        .fact(FieldName::Sections, sections(old, new))
        .fact(FieldName::Servers, servers(old, new));
    hub.audit().record(Who::System, event);
}

/// A changed configuration is not taken over.
pub(crate) fn refused(hub: &Hub, why: &str) {
    let event = Event::new(EventKind::Configuration, "configuration/reload", Outcome::Failed).because(why);
    hub.audit().record(Who::System, event);
}

/// Of the settings as they are meant: variables are filled in.
fn sha256(settings: &Settings) -> [u8; 32] {
    let text = serde_json::to_vec(settings).unwrap_or_default();
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, &text).as_ref());
    sha256
}

/// Names of sections that differ.
fn sections(old: &Settings, new: &Settings) -> Vec<String> {
    let of = |settings: &Settings| match serde_json::to_value(settings) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let (old, new) = (of(old), of(new));
    let mut names: Vec<String> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).cloned().collect();
    names.retain(|name| old.get(name) != new.get(name));
    names
}

/// Names of servers that are new (`+`), gone (`-`) or other ones (`~`).
fn servers(old: &Settings, new: &Settings) -> Vec<String> {
    let gone = old.servers.keys().filter(|name| !new.servers.contains_key(*name)).map(|name| format!("-{name}"));
    let here = new.servers.iter().filter_map(|(name, entry)| match old.servers.get(name) {
        None => Some(format!("+{name}")),
        Some(before) if before != entry => Some(format!("~{name}")),
        Some(_) => None,
    });
    gone.chain(here).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{sections, servers, sha256};
    use crate::config::Settings;

    fn settings(json: &str) -> Settings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn cfg_7_a_change_is_named_by_section_and_server() {
        let old = settings(r#"{"servers":{"a":{"command":"a"},"b":{"command":"b"}}}"#);
        let new = settings(r#"{"servers":{"b":{"command":"x"},"c":{"command":"c"}},"log":{"level":"debug"}}"#);
        assert_eq!(servers(&old, &new), ["-a", "~b", "+c"]);
        assert_eq!(sections(&old, &new), ["servers", "log"]);
        assert_ne!(sha256(&old), sha256(&new));
        assert_eq!(sections(&new, &new), Vec::<String>::new());
    }
}
