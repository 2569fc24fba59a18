//! One server as clients write it, turned into ours; what has no counterpart is named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use omni_proxy::OWN_HEADERS;
use omni_proxy::settings::RemoteTransport;
use serde_json::{Map, Value};

use crate::cli::import::found::{Found, Outcome};
use crate::cli::import::variables::{Scene, translate};
use crate::config::{ServerSettings, entry_faults};

/// The keys that are understood, with the names that others give them.
const KNOWN: [&str; 16] = [
    "type",
    "transport",
    "command",
    "args",
    "env",
    "environment",
    "cwd",
    "workingDirectory",
    "url",
    "serverUrl",
    "httpUrl",
    "headers",
    "description",
    "disabled",
    "enabled",
    "name",
];

/// Reads the entries of an object of servers.
pub(crate) fn servers(servers: &Value, scene: Scene<'_>) -> Result<Vec<Found>, String> {
    match servers {
        Value::Null => Ok(Vec::new()),
        Value::Object(map) => Ok(map.iter().map(|(name, entry)| server(name, entry, scene)).collect()),
        _ => Err("the servers are not an object (`{ name: … }`)".to_owned()),
    }
}

/// Reads one entry.
pub(crate) fn server(name: &str, entry: &Value, scene: Scene<'_>) -> Found {
    let mut reading = Entry { scene, unset: Vec::new(), notes: Vec::new() };
    let outcome = match entry.as_object() {
        Some(map) => reading.outcome(map),
        None => Outcome::Skipped("is not an object".to_owned()),
    };
    let Entry { mut unset, notes, .. } = reading;
    unset.sort();
    unset.dedup();
    Found { name: name.to_owned(), outcome, base: scene.base.map(Path::to_owned), unset, notes }
}

struct Entry<'a> {
    scene: Scene<'a>,
    unset: Vec<String>,
    notes: Vec<String>,
}

impl Entry<'_> {
    fn outcome(&mut self, map: &Map<String, Value>) -> Outcome {
        let skipped = |reason: &str| Outcome::Skipped(reason.to_owned());
        if map.get("disabled") == Some(&Value::Bool(true)) || map.get("enabled") == Some(&Value::Bool(false)) {
            return skipped("disabled there");
        }
        let kind = ["type", "transport"].iter().find_map(|key| map.get(*key)?.as_str()).unwrap_or_default();
        let sse = match kind.to_ascii_lowercase().as_str() {
            // What is spoken at an address is found out, as these clients do.
            "" | "stdio" | "http" | "https" | "streamable-http" | "streamablehttp" | "streamable_http" => false,
            "sse" => true,
            "ws" | "wss" | "websocket" => false,
            other => return Outcome::Skipped(format!("its transport `{other}` is not one we speak")),
        };
        let mut server = self.settings(map);
        server.transport = server.url.as_ref().filter(|_| sse).map(|_| RemoteTransport::Sse);
        if server.command.is_none() && server.url.is_none() {
            return skipped("names neither a command nor an address");
        }
        if is_hub(&server) {
            return skipped("is this hub itself");
        }
        let unknown: Vec<&str> = map.keys().map(String::as_str).filter(|key| !KNOWN.contains(key)).collect();
        if !unknown.is_empty() {
            self.notes.push(format!("not imported: {}", unknown.join(", ")));
        }
        match entry_faults(&server).as_slice() {
            [] => Outcome::Server(Box::new(server)),
            faults => Outcome::Skipped(format!("cannot be used: {}", faults.join("; "))),
        }
    }

    fn settings(&mut self, map: &Map<String, Value>) -> ServerSettings {
        let args = map.get("args").and_then(Value::as_array);
        let first = |keys: &[&str]| keys.iter().find_map(|key| map.get(*key));
        let url = first(&["url", "serverUrl", "httpUrl"]);
        let mut server = ServerSettings {
            description: map.get("description").and_then(Value::as_str).map(|text| text.replace("${", "$${")),
            ..ServerSettings::default()
        };
        if let Some(command) = map.get("command") {
            server.command = self.text("command", command);
            server.args = args.into_iter().flatten().filter_map(|arg| self.text("args", arg)).collect();
            for key in ["environment", "env"] {
                server.env.extend(self.texts(key, map.get(key)));
            }
            server.cwd = first(&["cwd", "workingDirectory"]).and_then(|cwd| self.text("cwd", cwd)).map(PathBuf::from);
            if url.is_some() {
                self.notes.push("not imported: url, beside a command".to_owned());
            }
        } else {
            server.url = url.and_then(|url| self.text("url", url));
            server.headers = self.texts("headers", map.get("headers"));
            let (ours, theirs) = std::mem::take(&mut server.headers)
                .into_iter()
                .partition(|(name, _)| OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()));
            server.headers = theirs;
            let ours: BTreeMap<String, String> = ours;
            self.notes
                .extend(ours.keys().map(|name| format!("not imported: headers.{name}, which the hub sets itself")));
        }
        server
    }

    fn texts(&mut self, key: &str, value: Option<&Value>) -> BTreeMap<String, String> {
        let entries = match value {
            Some(Value::Object(map)) => map.iter().collect::<Vec<_>>(),
            None | Some(Value::Null) => Vec::new(),
            Some(_) => {
                self.notes.push(format!("not imported: {key}, which is no object"));
                Vec::new()
            }
        };
        let mut texts = BTreeMap::new();
        for (name, value) in entries {
            if let Some(text) = self.text(&format!("{key}.{name}"), value) {
                texts.insert(name.clone(), text);
            }
        }
        texts
    }

    /// A text in our syntax; numbers and truth values are written out as they would be in the environment.
    fn text(&mut self, key: &str, value: &Value) -> Option<String> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => {
                self.notes.push(format!("not imported: {key}, which is no text"));
                return None;
            }
        };
        let translated = translate(&text, self.scene);
        self.unset.extend(translated.unset);
        self.notes.extend(translated.notes.into_iter().map(|note| format!("{key}: {note}")));
        Some(translated.text)
    }
}

/// Whether an entry is this hub, or the one it follows: imported, it would call itself.
fn is_hub(server: &ServerSettings) -> bool {
    let file_name =
        |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(".exe").to_owned();
    let command = server.command.as_deref().map(file_name).unwrap_or_default();
    let starts_us = command == "omni" && server.args.iter().any(|arg| arg == "stdio" || arg == "serve");
    let inherited = |text: &str| text.contains("omni-mcp-hub");
    let starts_inherited = command == "omni-mcp-hub"
        || server.args.iter().any(|arg| inherited(arg) && (arg.ends_with("dist/index.js") || !arg.contains('/')));
    let calls_us = server.url.as_deref().and_then(|url| url.strip_prefix("http://")).is_some_and(|rest| {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        matches!(authority, "127.0.0.1:8420" | "localhost:8420" | "[::1]:8420")
            && (path == "mcp" || path.starts_with("mcp/"))
    });
    starts_us || starts_inherited || calls_us
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::cli::import::variables::Syntax;
    use crate::config::edit::add;
    use crate::config::{Surroundings, parse_in};

    fn read(entry: &Value) -> Found {
        let around = Surroundings::of_test(Path::new("/h"), Path::new("/w"));
        server("x", entry, Scene { syntax: Syntax::Claude, base: None, around: &around })
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (entry, reason) in [
            (json!({"command": "x", "disabled": true}), "disabled"),
            (json!({"command": "x", "enabled": false}), "disabled"),
            (json!({"type": "grpc", "url": "https://h"}), "`grpc`"),
            (json!({"type": "sse", "url": "wss://h"}), "transport: a ws://"),
            (json!({"args": []}), "neither"),
            (json!({"url": "ftp://h"}), "http://, https://"),
            (json!({"command": "/usr/bin/omni", "args": ["stdio"]}), "hub itself"),
            (json!({"type": "http", "url": "http://localhost:8420/mcp/files"}), "hub itself"),
            (json!({"command": "node", "args": ["/src/omni-mcp-hub/dist/index.js"]}), "hub itself"),
            (json!("npx"), "not an object"),
        ] {
            let Outcome::Skipped(said) = read(&entry).outcome else { panic!("{entry} was imported") };
            assert!(said.contains(reason), "{entry}: {said}");
        }
    }

    #[test]
    fn gw_1_every_transport_of_theirs_is_one_of_ours() {
        for (entry, transport) in [
            (json!({"type": "sse", "url": "https://h/sse"}), Some(RemoteTransport::Sse)),
            (json!({"transport": "SSE", "url": "https://h/x"}), Some(RemoteTransport::Sse)),
            (json!({"url": "https://h/sse"}), None),
            (json!({"type": "ws", "url": "wss://h/ws"}), None),
            (json!({"url": "ws://h/ws"}), None),
            (json!({"type": "http", "url": "https://h/mcp"}), None),
        ] {
            let Outcome::Server(server) = read(&entry).outcome else { panic!("{entry} was not imported") };
            assert_eq!(server.transport, transport, "{entry}");
        }
    }

    #[test]
    fn headers_of_the_transport_are_left_to_the_hub() {
        let found = read(&json!({"url": "https://h/mcp", "headers": {"Content-Type": "application/json", "X-A": "b"}}));
        let Outcome::Server(server) = found.outcome else { panic!("not imported") };
        assert_eq!(server.headers.keys().collect::<Vec<_>>(), ["X-A"]);
        assert_eq!(found.notes, ["not imported: headers.Content-Type, which the hub sets itself"]);
    }

    #[test]
    fn values_are_taken_over_and_the_rest_is_named() {
        let found = read(&json!({
            "type": "stdio", "command": "npx", "args": ["-y", 5], "env": {"PORT": 8080, "DEBUG": true, "BAD": []},
            "autoApprove": ["x"], "timeout": 5
        }));
        let Outcome::Server(server) = found.outcome else { panic!("not imported") };
        assert_eq!(server.args, ["-y", "5"]);
        assert_eq!(server.env["PORT"], "8080");
        assert_eq!(server.env["DEBUG"], "true");
        assert_eq!(found.notes, ["not imported: env.BAD, which is no text", "not imported: autoApprove, timeout"]);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let keys = "(type|command|args|env|cwd|url|headers|disabled|enabled|mcpServers|x)";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(http://h/|\\$\\{|env:|input:|ENV:|A|:-|\\}|.){0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((keys, inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever an entry holds, nothing panics, and what is imported is a right entry with known references only.
        #[test]
        fn any_entry_is_imported_right_or_not_at_all(entry in any_json(), syntax in prop_oneof![Just(Syntax::Claude), Just(Syntax::Editor), Just(Syntax::Inherited)]) {
            let around = Surroundings::of_test(Path::new("/h"), Path::new("/w"));
            let found = server("x", &entry, Scene { syntax, base: None, around: &around });
            if let Outcome::Server(server) = found.outcome {
                prop_assert_eq!(entry_faults(&server), Vec::<String>::new());
                let server = ServerSettings { disabled: !found.unset.is_empty(), ..*server };
                let text = add("", "x", &server, false).unwrap();
                let checked = parse_in(&text, Path::new("/w/omni.yaml"), &around);
                prop_assert!(checked.is_ok(), "{}\n{}", text, checked.unwrap_err());
            }
        }
    }
}
