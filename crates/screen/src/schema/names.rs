//! Members that differ from one that the schema lists by the case of their letters alone: a server whose JSON reader matches names
//! whatever their case (Go's) takes one for the other, and what was checked is not what it reads.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::schema::violation::Violation;

/// Complaints that are told about one value.
const FOUND_MAX: usize = 8;

/// The names that a schema lists under `properties`, also of what is in them and of the items of lists. What a reference or a
/// branch lists is not followed.
#[derive(Debug, Default)]
pub(super) struct Names {
    listed: HashSet<String>,
    /// By their folded form.
    folded: HashMap<String, String>,
    below: HashMap<String, Self>,
    items: Option<Box<Self>>,
}

impl Names {
    /// Those of `schema`.
    pub(super) fn of(schema: &Value) -> Self {
        let mut names = Self::default();
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            names.listed.insert(name.clone());
            names.folded.insert(folded(name), name.clone());
            let below = Self::of(part);
            if !below.is_empty() {
                names.below.insert(name.clone(), below);
            }
        }
        names.items = schema.get("items").map(Self::of).filter(|items| !items.is_empty()).map(Box::new);
        names
    }

    fn is_empty(&self) -> bool {
        self.folded.is_empty() && self.items.is_none()
    }

    /// What of `value` could be taken for something that is listed, and is not it.
    pub(super) fn variants(&self, value: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        self.look(value, &mut String::new(), &mut found);
        found
    }

    fn look(&self, value: &Value, pointer: &mut String, found: &mut Vec<Violation>) {
        let length = pointer.len();
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if found.len() >= FOUND_MAX {
                        return;
                    }
                    let listed = self.folded.get(&folded(name));
                    // Of two that are listed and differ by case the schema's author means both.
                    if let Some(listed) = listed.filter(|_| !self.listed.contains(name)) {
                        let why = format!("{name:?} differs from `{listed}` by the case of its letters alone");
                        found.push(Violation::at(pointer, &why));
                    }
                    if let Some(below) = self.below.get(name) {
                        pointer.push('/');
                        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                        below.look(member, pointer, found);
                        pointer.truncate(length);
                    }
                }
            }
            Value::Array(all) => {
                for (at, item) in all.iter().enumerate() {
                    let Some(items) = self.items.as_deref().filter(|_| found.len() < FOUND_MAX) else { return };
                    pointer.push_str(&format!("/{at}"));
                    items.look(item, pointer, found);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
    }
}

/// Both ways: the Kelvin sign is a small `k` then, and the long s an `s`.
fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{FOUND_MAX, Names};

    /// VAL-1: `{"Path": "/etc"}` passes a schema that says what `path` may be, and a server in Go reads it as `path`.
    #[test]
    fn val_1_a_member_is_what_it_is_called_or_nothing_that_is_listed() {
        let names = Names::of(&json!({ "properties": {
            "path": { "type": "string" }, "task": {}, "ID": {}, "id": {},
            "filter": { "properties": { "owner": {} } },
            "files": { "items": { "properties": { "name": {} } } },
        } }));
        let places = |value: serde_json::Value| -> Vec<String> {
            names.variants(&value).into_iter().map(|one| format!("{}: {}", one.pointer, one.message)).collect()
        };
        for value in [
            json!({ "path": "/a", "paths": 1, "other": 2, "ID": 1, "id": 2 }),
            json!({ "filter": { "owner": 1, "path": 2 }, "files": [{ "name": 1 }], "owner": 1 }),
            json!([{ "Path": 1 }]),
            json!(null),
        ] {
            assert_eq!(places(value.clone()), [] as [String; 0], "{value}");
        }
        let alone = places(json!({ "Path": "/etc" }));
        assert_eq!(alone, [": \"Path\" differs from `path` by the case of its letters alone"]);
        for (value, place) in [
            (json!({ "path": 1, "PATH": 2 }), ": \"PATH\""),
            (json!({ "tas\u{212a}": 1 }), ": \"tas"),
            (json!({ "Id": 1 }), ": \"Id\""),
            (json!({ "filter": { "Owner": 1 } }), "/filter: \"Owner\""),
            (json!({ "files": [{ "name": 1 }, { "Name": 1 }] }), "/files/1: \"Name\""),
        ] {
            let found = places(value.clone());
            assert!(found.len() == 1 && found[0].starts_with(place), "{value}: {found:?}");
        }
        let many = json!({ "files": (0..100).map(|_| json!({ "Name": 1 })).collect::<Vec<_>>() });
        assert_eq!(places(many).len(), FOUND_MAX);
    }
}
