//! The tree held against the JSON Schema, so that every misspelt key and wrong kind of value is found at once, each with its place.

use serde_json::{Map, Value as Json};

use crate::config::error::Problem;
use crate::config::nearest::nearest;
use crate::config::node::{Key, Node, Value};

/// What is wrong with a tree, and the value that is left of it.
pub(crate) struct Shape<'a> {
    root: &'a Json,
    problems: Vec<Problem>,
}

/// Checks `node` against `schema` and makes a plain value of what is right, so that later checks can go on.
pub(crate) fn check(node: &Node, schema: &Json) -> (Json, Vec<Problem>) {
    let mut shape = Shape { root: schema, problems: Vec::new() };
    let value = shape.value(node, schema, &mut Vec::new()).unwrap_or_else(|| Json::Object(Map::new()));
    (value, shape.problems)
}

impl Shape<'_> {
    /// The value if it has the right kind; else `None` and a problem.
    fn value(&mut self, node: &Node, schema: &Json, path: &mut Vec<String>) -> Option<Json> {
        let schema = self.resolve(schema)?;
        if let Some(variants) = schema["oneOf"].as_array() {
            return if variants.iter().any(|variant| variant["properties"].is_object()) {
                self.tagged(node, variants, path)
            } else {
                self.one_of(node, variants, path)
            };
        }
        match schema_type(schema) {
            "object" => self.object(node, schema, path),
            "array" => {
                let Value::List(items) = &node.value else { return self.wrong(node, "a list (`[a, b]`)", path) };
                let mut list = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    list.extend(self.value(item, &schema["items"], path));
                    path.pop();
                }
                Some(Json::Array(list))
            }
            "string" => match &node.value {
                Value::Text(text) => Some(text.text.clone().into()),
                Value::Number(_) | Value::Bool(_) => self.wrong(node, "a text: put it in quotes", path),
                _ => self.wrong(node, "a text", path),
            },
            "boolean" => match &node.value {
                Value::Bool(value) => Some((*value).into()),
                Value::Text(text) if text.expanded && text.text == "true" => Some(true.into()),
                Value::Text(text) if text.expanded && text.text == "false" => Some(false.into()),
                _ => self.wrong(node, "`true` or `false`", path),
            },
            _ => self.integer(node, schema, path),
        }
    }

    fn integer(&mut self, node: &Node, schema: &Json, path: &[String]) -> Option<Json> {
        let number = match &node.value {
            Value::Number(number) => number.as_u64(),
            Value::Text(text) if text.expanded => text.text.parse().ok(),
            _ => None,
        };
        let least = schema["minimum"].as_u64().unwrap_or(0);
        let most = schema["maximum"].as_u64().unwrap_or(u64::MAX);
        match number {
            Some(number) if (least..=most).contains(&number) => Some(number.into()),
            _ => self.wrong(node, &format!("a whole number from {least} to {most}"), path),
        }
    }

    /// A word out of a few.
    fn one_of(&mut self, node: &Node, variants: &[Json], path: &[String]) -> Option<Json> {
        let words: Vec<&str> = variants.iter().flat_map(words).collect();
        let expected = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let Value::Text(text) = &node.value else { return self.wrong(node, &format!("one of {expected}"), path) };
        if words.contains(&text.text.as_str()) {
            return Some(text.text.clone().into());
        }
        let hint = nearest(&text.text, words.iter().copied()).map(|word| format!(": did you mean `{word}`?"));
        let hint = hint.unwrap_or_else(|| format!(": it is one of {expected}"));
        self.problems
            .push(Problem::at(node.place, format!("unknown word `{}` at {}{hint}", text.text, path.join("."))));
        None
    }

    /// A map whose other keys depend on the word under one key, which the schema gives as `const`.
    fn tagged(&mut self, node: &Node, variants: &[Json], path: &mut Vec<String>) -> Option<Json> {
        let tag = variants.iter().find_map(tag)?.0;
        let words: Vec<&str> = variants.iter().filter_map(|variant| Some(tag_of(variant, tag)?.1)).collect();
        let expected = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        if !matches!(node.value, Value::Map(_)) {
            return self.wrong(node, &format!("a map with `{tag}`: one of {expected}"), path);
        }
        let Some((_, named)) = node.entry(tag) else {
            let message = format!("{} needs `{tag}`: one of {expected}", path.join("."));
            self.problems.push(Problem::at(node.place, message));
            return None;
        };
        let chosen = match &named.value {
            Value::Text(text) => {
                variants.iter().find(|variant| tag_of(variant, tag).is_some_and(|(_, word)| word == text.text))
            }
            _ => None,
        };
        match chosen {
            Some(variant) => self.object(node, variant, path),
            None => {
                path.push(tag.to_owned());
                let words: Vec<Json> = words.iter().map(|word| serde_json::json!({ "const": word })).collect();
                self.one_of(named, &words, path);
                path.pop();
                None
            }
        }
    }

    fn object(&mut self, node: &Node, schema: &Json, path: &mut Vec<String>) -> Option<Json> {
        let Value::Map(entries) = &node.value else { return self.wrong(node, "a map (`key: value`)", path) };
        let properties = schema["properties"].as_object();
        let mut map = Map::new();
        for (key, entry) in entries {
            let known = properties.and_then(|properties| properties.get(&key.name));
            // A key without a value (`servers:` and nothing below) stands for its default.
            if known.is_some() && matches!(entry.value, Value::Null) {
                continue;
            }
            let Some(known) =
                known.or_else(|| Some(&schema["additionalProperties"]).filter(|schema| schema.is_object()))
            else {
                self.unknown(key, properties, path);
                continue;
            };
            path.push(key.name.clone());
            // What is not there has no place of its own.
            let nothing = Node { place: key.place, value: Value::Null };
            let entry = if matches!(entry.value, Value::Null) { &nothing } else { entry };
            if let Some(value) = self.value(entry, known, path) {
                map.insert(key.name.clone(), value);
            }
            path.pop();
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        for missing in required.filter(|name| !map.contains_key(*name) && node.entry(name).is_none()) {
            self.problems.push(Problem::at(node.place, format!("{} needs `{missing}`", path.join("."))));
        }
        Some(Json::Object(map))
    }

    fn unknown(&mut self, key: &Key, properties: Option<&Map<String, Json>>, path: &[String]) {
        let known = || properties.into_iter().flat_map(Map::keys).map(String::as_str);
        let place = if path.is_empty() { String::new() } else { format!(" at {}", path.join(".")) };
        let hint = match nearest(&key.name, known()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("known are {}", known().collect::<Vec<_>>().join(", ")),
        };
        self.problems.push(Problem::at(key.place, format!("unknown key `{}`{place}: {hint}", key.name)));
    }

    fn wrong(&mut self, node: &Node, expected: &str, path: &[String]) -> Option<Json> {
        let at = if path.is_empty() { "the file".to_owned() } else { path.join(".") };
        let found = match &node.value {
            Value::Number(number) => format!("the number {number}"),
            Value::Bool(value) => format!("`{value}`"),
            _ => node.kind().to_owned(),
        };
        self.problems.push(Problem::at(node.place, format!("{at} wants {expected}; here is {found}")));
        None
    }
}

impl<'a> Shape<'a> {
    /// Follows `$ref` and takes the one part of `anyOf` and `allOf` that is not null.
    fn resolve(&self, schema: &'a Json) -> Option<&'a Json> {
        let mut schema = schema;
        // A schema made from types nests a handful of references; the bound only guards against a ring.
        for _ in 0..16 {
            if let Some(reference) = schema["$ref"].as_str() {
                schema = self.root.pointer(reference.strip_prefix('#')?)?;
            } else if let Some(parts) = schema["anyOf"].as_array().or_else(|| schema["allOf"].as_array()) {
                schema = parts.iter().find(|part| part["type"] != "null")?;
            } else {
                return Some(schema);
            }
        }
        None
    }
}

/// The kind of value a schema wants, `null` left out.
fn schema_type(schema: &Json) -> &str {
    match &schema["type"] {
        Json::Array(types) => types.iter().filter_map(Json::as_str).find(|name| *name != "null").unwrap_or_default(),
        other => other.as_str().unwrap_or("object"),
    }
}

/// The words of one variant: a `const`, or an `enum` of several.
fn words(variant: &Json) -> Vec<&str> {
    match variant["const"].as_str() {
        Some(word) => vec![word],
        None => variant["enum"].as_array().into_iter().flatten().filter_map(Json::as_str).collect(),
    }
}

fn tag(variant: &Json) -> Option<(&str, &str)> {
    variant["properties"]
        .as_object()?
        .iter()
        .find_map(|(name, schema)| Some((name.as_str(), schema["const"].as_str()?)))
}

fn tag_of<'a>(variant: &'a Json, tag: &'a str) -> Option<(&'a str, &'a str)> {
    Some((tag, variant["properties"][tag]["const"].as_str()?))
}
