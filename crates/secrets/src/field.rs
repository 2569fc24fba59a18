//! One field out of a value that is JSON: `password`, `db.password`, `users.0.name`.

use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// The field of the JSON text `value`, as text: a string as it is, anything else as JSON. A key with dots in it goes before a
/// path of that look.
///
/// # Errors
/// What is wrong, without the value.
pub fn field_of(value: &str, field: &str) -> Result<Zeroizing<String>, &'static str> {
    let mut whole: Value = serde_json::from_str(value).map_err(|_| "the value is no JSON, so it has no fields")?;
    let found = pick(&whole, field).map(|found| match found {
        Value::String(text) => Zeroizing::new(text.clone()),
        other => Zeroizing::new(other.to_string()),
    });
    wipe(&mut whole);
    found.ok_or("the value has no such field")
}

fn pick<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    if let Some(found) = step(value, field) {
        return Some(found);
    }
    field.split('.').try_fold(value, step)
}

fn step<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Texts of a tree that held secrets do not stay in freed memory.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::field_of;

    #[test]
    fn sec_1_fields_are_found_by_key_and_by_path() {
        let value = r#"{"password":"p","a.b":"dotted","a":{"b":"deep"},"users":[{"port":5432}],"null":null}"#;
        for (field, found) in
            [("password", "p"), ("a.b", "dotted"), ("users.0.port", "5432"), ("users.0", r#"{"port":5432}"#)]
        {
            assert_eq!(field_of(value, field).as_ref().map(|text| text.as_str()), Ok(found), "{field}");
        }
        for field in ["none", "users.1", "password.x", "users.x", ""] {
            assert!(field_of(value, field).is_err(), "{field}");
        }
        assert_eq!(field_of("s3cret", "x").unwrap_err(), "the value is no JSON, so it has no fields");
    }
}
