//! What a client declares that it can do, in one spelling: what tells shared links and catalogs of one server apart.

use std::cell::RefCell;
use std::sync::Arc;

use omni_protocol::Method;
use serde_json::{Map, Value};

/// Bytes of a declaration that is kept; a longer one counts without its extensions.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// The tasks extension is the hub's own affair where a server does not speak 2026-07-28.
const TASKS: &str = "io.modelcontextprotocol/tasks";

thread_local! {
    /// Clients of 2026-07-28 declare with each request what they declared with the one before.
    static LAST: RefCell<Option<(Box<str>, Capabilities)>> = const { RefCell::new(None) };
}

/// What a client can do for servers of the earlier revisions: roots, sampling, elicitation, extensions.
///
/// Servers decide by it what they offer and ask (`server-everything` lists 13, 15 or 16 tools). Two clients that declare
/// the same share a link; `listChanged` of roots and whatever else cannot be told of several clients at once is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(Option<Arc<str>>);

impl Capabilities {
    /// Reads the JSON text that a client declared; what is no object declares nothing.
    #[must_use]
    pub fn of(declared: &str) -> Self {
        if declared.len() <= 2 {
            return Self::default();
        }
        LAST.with_borrow_mut(|last| {
            if last.as_ref().is_none_or(|(text, _)| **text != *declared) {
                *last = Some((declared.into(), Self::read(declared)));
            }
            last.as_ref().map(|(_, capabilities)| capabilities.clone()).unwrap_or_default()
        })
    }

    fn read(declared: &str) -> Self {
        let Ok(Value::Object(declared)) = serde_json::from_str(declared) else { return Self::default() };
        let mut kept = Map::new();
        if let Some(Value::Object(elicitation)) = declared.get("elicitation") {
            let mut modes = Map::new();
            // An empty object means forms (client/elicitation, "Capabilities").
            if elicitation.contains_key("form") || !elicitation.contains_key("url") {
                modes.insert("form".to_owned(), Value::Object(Map::new()));
            }
            if elicitation.contains_key("url") {
                modes.insert("url".to_owned(), Value::Object(Map::new()));
            }
            kept.insert("elicitation".to_owned(), Value::Object(modes));
        }
        let own = declared.get("extensions").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut extensions: Vec<(String, Value)> =
            own.into_iter().filter(|(name, _)| name != TASKS).map(|(name, value)| (name, sorted(value))).collect();
        extensions.sort_by(|a, b| a.0.cmp(&b.0));
        let without = kept.len();
        if !extensions.is_empty() {
            kept.insert("extensions".to_owned(), Value::Object(extensions.into_iter().collect()));
        }
        if declared.get("roots").is_some_and(Value::is_object) {
            kept.insert("roots".to_owned(), Value::Object(Map::new()));
        }
        if let Some(Value::Object(sampling)) = declared.get("sampling") {
            let known = ["context", "tools"].into_iter().filter(|name| sampling.contains_key(*name));
            let parts = known.map(|name| (name.to_owned(), Value::Object(Map::new()))).collect();
            kept.insert("sampling".to_owned(), Value::Object(parts));
        }
        if kept.is_empty() {
            return Self::default();
        }
        let mut text = Value::Object(kept.clone()).to_string();
        if text.len() > TEXT_BYTES_MAX && kept.len() > without {
            kept.remove("extensions");
            text = Value::Object(kept).to_string();
        }
        Self(Some(text.into()))
    }

    /// JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.as_deref().unwrap_or("{}")
    }

    /// Whether nothing is declared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Whether a client that declared `capabilities`, a JSON text, can be asked by `method` with `params`.
#[must_use]
pub fn can_be_asked(capabilities: &str, method: &Method, params: Option<&str>) -> bool {
    let Ok(Value::Object(declared)) = serde_json::from_str(capabilities) else { return false };
    let has = |name: &str| declared.get(name).is_some_and(Value::is_object);
    match method.as_str() {
        "roots/list" => has("roots"),
        "sampling/createMessage" => has("sampling"),
        "elicitation/create" => {
            let mode = params.and_then(|p| {
                let params: Map<String, Value> = serde_json::from_str(p).ok()?;
                params.get("mode").and_then(Value::as_str).map(str::to_owned)
            });
            let Some(Value::Object(modes)) = declared.get("elicitation") else { return false };
            match mode.as_deref() {
                None | Some("form") => modes.contains_key("form") || !modes.contains_key("url"),
                Some(mode) => modes.contains_key(mode),
            }
        }
        _ => false,
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use omni_protocol::Method;

    use super::{Capabilities, can_be_asked};

    #[test]
    fn gw_1_the_same_declared_in_other_words_is_the_same() {
        let one = Capabilities::of(r#"{"roots":{"listChanged":true},"elicitation":{},"experimental":{"x":1}}"#);
        let two = Capabilities::of(r#"{"elicitation":{"form":{}},"roots":{}}"#);
        assert_eq!(one, two);
        assert_eq!(one.text(), r#"{"elicitation":{"form":{}},"roots":{}}"#);
        assert_eq!(Capabilities::of("{}"), Capabilities::of(r#"{"experimental":{}}"#));
        assert_ne!(one, Capabilities::of(r#"{"elicitation":{"url":{}},"roots":{}}"#));
        let apps = r#"{"extensions":{"io.modelcontextprotocol/ui":{"b":1,"a":2},"io.modelcontextprotocol/tasks":{}}}"#;
        assert_eq!(Capabilities::of(apps).text(), r#"{"extensions":{"io.modelcontextprotocol/ui":{"a":2,"b":1}}}"#);
        let long = format!(r#"{{"roots":{{}},"extensions":{{"x":"{}"}}}}"#, "y".repeat(5_000));
        assert_eq!(Capabilities::of(&long).text(), r#"{"roots":{}}"#);
    }

    #[test]
    fn tool_3_only_what_is_declared_can_be_asked() {
        let form = r#"{"elicitation":{},"sampling":{}}"#;
        let ask = |capabilities, method, params| can_be_asked(capabilities, &Method::parse(method), params);
        assert!(ask(form, "elicitation/create", None) && ask(form, "sampling/createMessage", None));
        assert!(!ask(form, "elicitation/create", Some(r#"{"mode":"url"}"#)) && !ask(form, "roots/list", None));
        let url = r#"{"elicitation":{"url":{}}}"#;
        assert!(ask(url, "elicitation/create", Some(r#"{"mode":"url"}"#)) && !ask(url, "elicitation/create", None));
    }
}
