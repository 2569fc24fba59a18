//! The configuration as a tree of values that know their place in the text.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Location, Spanned};

use crate::config::error::{Place, Problem};

/// Deepest nesting accepted; the settings themselves need six levels.
const DEPTH_MAX: usize = 32;
/// Nodes accepted, counting those that aliases bring in again.
const NODES_MAX: usize = 100_000;
/// Events that aliases may replay: enough for shared blocks, too few for an alias bomb.
const ALIAS_EVENTS_MAX: usize = 10_000;

/// One value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A string; `expanded` when a variable was put in, so that `${ENV:PORT}` may become a number where one is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) expanded: bool,
}

/// A key and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) name: String,
}

impl Node {
    /// The entry of a map.
    pub(crate) fn entry(&self, name: &str) -> Option<(&Key, &Self)> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(key, node)| (key, node))
    }

    /// The entries of a map; none when it is something else.
    pub(crate) fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The plain value, places left behind.
    pub(crate) fn plain(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => number.clone().into(),
            Value::Text(text) => text.text.clone().into(),
            Value::List(items) => items.iter().map(Self::plain).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, node)| (key.name.clone(), node.plain()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// What the value is called in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The place of what `path` names, or of the nearest part of it that exists. The last step may be a key itself.
    pub(crate) fn find(&self, path: &[String], key: bool) -> Place {
        let Some((step, rest)) = path.split_first() else { return self.place };
        let found = match &self.value {
            Value::List(items) => {
                step.parse::<usize>().ok().and_then(|index| items.get(index)).map(|node| (None, node))
            }
            _ => self.entry(step).map(|(key, node)| (Some(key), node)),
        };
        match found {
            Some((Some(found), _)) if rest.is_empty() && key => found.place,
            Some((_, node)) if rest.is_empty() || !matches!(node.value, Value::Null) => node.find(rest, key),
            Some((Some(found), _)) => found.place,
            _ => self.place,
        }
    }
}

/// Reads YAML (so JSON as well) into a tree. An empty text is an empty map.
pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, flow_nesting_limit: DEPTH_MAX, max_nodes: NODES_MAX, max_documents: 1 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: ALIAS_EVENTS_MAX },
    };
    let empty = || Node { place: Place::START, value: Value::Map(Vec::new()) };
    match serde_saphyr::from_str_with_options::<Option<Node>>(text, options) {
        Ok(Some(Node { value: Value::Null, .. }) | None) => Ok(empty()),
        Ok(Some(node)) => Ok(node),
        Err(error) => {
            let place = error.location().map_or(Place::START, place);
            Err(Problem::at(place, message(&error)))
        }
    }
}

/// A YAML text as a plain value, within the bounds that our own file has; the error says the line.
pub(crate) fn plain_yaml(text: &str) -> Result<serde_json::Value, String> {
    read(text).map(|node| node.plain()).map_err(|problem| match problem.place {
        Some(place) => format!("line {}, column {}: {}", place.line, place.column, problem.message),
        None => problem.message,
    })
}

/// The parser's message without the place, which we show ourselves.
fn message(error: &serde_saphyr::Error) -> String {
    if let serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } = error.without_snippet() {
        return format!("the key `{key}` is there already: put both into one");
    }
    let rendered = error.without_snippet().to_string();
    let end = rendered.rfind(" at line ").unwrap_or(rendered.len());
    rendered[..end].trim_start_matches("error: ").trim().to_owned()
}

fn place(location: Location) -> Place {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Place {
        line: size(location.line()).max(1),
        column: size(location.column()).max(1),
        width: size(location.span().len()).max(1),
        offset: location.span().byte_offset().map_or(0, size),
        bytes: location.span().byte_len().map_or(0, size),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { place: place(spanned.referenced), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { place: place(spanned.referenced), name: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(Text { text: value.to_owned(), expanded: false }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry::<Key, Node>()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}
