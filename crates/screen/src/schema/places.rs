//! The parts of a schema by the names under which references know them: pointers, anchors and ids, percent-escapes taken out.
//!
//! Which base a reference is read against is not followed: every part that may be meant is given, and who asks takes the worst.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::schema::error::SchemaError;

/// Parts of one schema with an id of their own, and parts of one anchor's name.
const IDS_MAX: usize = 256;
const ANCHORS_MAX: usize = 64;

/// Keywords whose value is a value: nothing in it is a schema.
const DATA: [&str; 4] = ["enum", "const", "default", "examples"];
/// Keywords whose value is schemas by names that anybody may choose, also the names of keywords.
const NAMED: [&str; 6] =
    ["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"];

/// What stands within a schema, each with the keyword it stands under; data is left out.
pub(super) fn within(schema: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    schema.iter().filter(|(keyword, _)| !DATA.contains(&keyword.as_str())).flat_map(|(keyword, value)| {
        let named = value.as_object().filter(|_| NAMED.contains(&keyword.as_str()));
        let own = named.is_none().then_some(value);
        named.into_iter().flat_map(Map::values).chain(own).map(move |part| (keyword.as_str(), part))
    })
}

/// Where references lead.
#[derive(Debug)]
pub(super) struct Places<'a> {
    /// The schema, and its parts that have an id.
    documents: Vec<&'a Value>,
    anchors: HashMap<&'a str, Vec<&'a Value>>,
}

impl<'a> Places<'a> {
    /// Those of `schema`.
    ///
    /// # Errors
    /// When it has more of them than anybody wrote.
    pub(super) fn of(schema: &'a Value) -> Result<Self, SchemaError> {
        let mut places = Self { documents: vec![schema], anchors: HashMap::new() };
        places.walk(schema)?;
        Ok(places)
    }

    fn walk(&mut self, node: &'a Value) -> Result<(), SchemaError> {
        match node {
            Value::Object(members) => {
                members.iter().try_for_each(|(name, value)| match value.as_str() {
                    Some(text) => self.note(name, text, node),
                    None => Ok(()),
                })?;
                within(members).try_for_each(|(_, part)| self.walk(part))
            }
            Value::Array(items) => items.iter().try_for_each(|value| self.walk(value)),
            _ => Ok(()),
        }
    }

    fn note(&mut self, name: &str, text: &'a str, node: &'a Value) -> Result<(), SchemaError> {
        let anchor = match name {
            "$anchor" | "$dynamicAnchor" => Some(text),
            // `id` up to draft-04; behind `#` it is an anchor up to draft-07.
            "$id" | "id" => {
                let (id, anchor) = text.split_once('#').map_or((text, None), |(id, anchor)| (id, Some(anchor)));
                if !id.is_empty() {
                    self.documents.push(node);
                }
                anchor
            }
            _ => None,
        };
        if self.documents.len() > IDS_MAX {
            return Err(SchemaError::Bounds(format!("more than {IDS_MAX} parts with an id")));
        }
        if let Some(anchor) = anchor {
            let of_name = self.anchors.entry(anchor).or_default();
            of_name.push(node);
            if of_name.len() > ANCHORS_MAX {
                return Err(SchemaError::Bounds(format!("more than {ANCHORS_MAX} anchors of one name")));
            }
        }
        Ok(())
    }

    /// All parts that `reference` may mean.
    pub(super) fn named(&self, reference: &str) -> Vec<&'a Value> {
        let fragment = reference.split_once('#').map_or("", |(_, fragment)| fragment);
        let fragment = unescaped(fragment);
        if fragment.is_empty() || fragment.starts_with('/') {
            return self.documents.iter().filter_map(|document| document.pointer(&fragment)).collect();
        }
        self.anchors.get(fragment.as_ref()).cloned().unwrap_or_default()
    }
}

/// Without percent-escapes; one that is none stays.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}
