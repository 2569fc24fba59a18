//! Arguments and claims as policies see them: values by their path.

use std::collections::HashMap;

use cedar_policy::{Entity, RestrictedExpression};
use serde_json::Value;

use crate::policy::path::{path_of, push_key};
use crate::policy::reads::Reads;
use crate::policy::words::Word;

/// Values of one call that policies can look at.
const VALUES_MAX: usize = 1_024;
/// The name of the entities that hold them.
pub(super) const THIS: &str = "this";

type Tag = (String, RestrictedExpression);

/// The arguments as the entities that a policy reads them from.
///
/// # Errors
/// When a policy that looks at them could not see all of them.
pub(super) fn arguments(text: Option<&str>, reads: Reads) -> Result<Vec<Entity>, String> {
    let value: Value = match text {
        None => Value::Null,
        Some(text) => serde_json::from_str(text).map_err(|e| format!("the arguments are no JSON: {e}"))?,
    };
    let (mut texts, mut numbers, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let mut count = 0;
    let looks = reads.arguments || reads.numbers || reads.lists;
    walk(&value, &mut String::new(), &mut |path, value| {
        count += 1;
        if count > VALUES_MAX {
            return Err(format!("the call has more than {VALUES_MAX} values in its arguments"));
        }
        if looks && let Some((name, other)) = alike(value) {
            return Err(format!(
                "`{name}` and `{other}` at `{path}` differ by case alone: a server may take one for both"
            ));
        }
        if reads.lists
            && let Some(set) = set_of(value)
        {
            lists.push((path.to_owned(), set));
        }
        if let Value::Number(number) = value
            && reads.numbers
        {
            let whole = whole(number).ok_or_else(|| format!("`{path}` is no whole number of 64 bits"))?;
            numbers.push((path.to_owned(), RestrictedExpression::new_long(whole)));
        }
        if let Some(text) = scalar(value).filter(|_| reads.arguments) {
            texts.push((path.to_owned(), RestrictedExpression::new_string(text)));
        }
        Ok(())
    })?;
    [(Word::Arguments, texts), (Word::Numbers, numbers), (Word::Lists, lists)]
        .into_iter()
        .map(|(word, tags): (Word, Vec<Tag>)| entity(word, tags))
        .collect()
}

fn entity(word: Word, tags: Vec<Tag>) -> Result<Entity, String> {
    Entity::new_with_tags(word.uid(THIS), [], [], tags).map_err(|e| e.to_string())
}

/// Claims as sets of texts.
pub(super) fn claims(claims: &serde_json::Map<String, Value>) -> Vec<Tag> {
    let mut tags = Vec::new();
    for (name, value) in claims {
        let mut path = path_of(name);
        // Nothing in here fails.
        let _done = walk(value, &mut path, &mut |path, value| {
            let set = set_of(value).or_else(|| {
                scalar(value).map(|text| RestrictedExpression::new_set([RestrictedExpression::new_string(text)]))
            });
            if let Some(set) = set {
                tags.push((path.to_owned(), set));
            }
            Ok(())
        });
    }
    tags
}

/// Visits `value` and everything in it, each with its path. No two things have one path.
fn walk(
    value: &Value,
    path: &mut String,
    visit: &mut dyn FnMut(&str, &Value) -> Result<(), String>,
) -> Result<(), String> {
    visit(path, value)?;
    let length = path.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                push_key(path, name);
                walk(member, path, visit)?;
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push_str(&format!("[{at}]"));
                walk(item, path, visit)?;
                path.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Two members of an object that differ by the case of their letters alone.
fn alike(value: &Value) -> Option<(&str, &str)> {
    let mut seen = HashMap::new();
    value.as_object()?.keys().find_map(|name| {
        // Both ways: the Kelvin sign is a small `k` then, and the long s an `s`.
        let folded = name.to_uppercase().to_lowercase();
        seen.insert(folded, name.as_str()).map(|other| (other, name.as_str()))
    })
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) => Some(whole(number).map_or_else(|| number.to_string(), |n| n.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn set_of(value: &Value) -> Option<RestrictedExpression> {
    let items: Option<Vec<_>> =
        value.as_array()?.iter().map(|item| scalar(item).map(RestrictedExpression::new_string)).collect();
    items.map(RestrictedExpression::new_set)
}

/// `5` and `5.0` are the same number.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        let exact = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
        exact.then_some(float as i64)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use cedar_policy::Entity;

    use super::arguments;
    use crate::policy::reads::Reads;

    const ALL: Reads = Reads {
        arguments: true,
        numbers: true,
        lists: true,
        now: false,
        loopback: false,
        address: false,
        client: false,
        revision: false,
        action: false,
        principal: false,
        hints: false,
        server: false,
        name: false,
    };

    fn tags(entity: &Entity) -> Vec<String> {
        let mut tags: Vec<_> = entity.tags().map(|(tag, value)| format!("{tag}={}", value.unwrap())).collect();
        tags.sort();
        tags
    }

    #[test]
    fn tool_2_arguments_are_seen_by_their_path() {
        let text = r#"{"path":"/tmp/x","n":5.0,"deep":{"a.b":[true,"y"],"none":null},"rows":[{"id":7}]}"#;
        let [texts, numbers, lists] = arguments(Some(text), ALL).unwrap().try_into().unwrap();
        assert_eq!(
            tags(&texts),
            [r#"deep.a\.b[0]="true""#, r#"deep.a\.b[1]="y""#, r#"n="5""#, r#"path="/tmp/x""#, r#"rows[0].id="7""#]
        );
        assert_eq!(tags(&numbers), ["n=5", "rows[0].id=7"]);
        assert_eq!(lists.tags().count(), 1);
        assert_eq!(arguments(None, ALL).unwrap().iter().flat_map(Entity::tags).count(), 0);
    }

    /// A member without a name would otherwise lend its own members to the object that it stands in.
    #[test]
    fn tool_2_no_two_things_have_one_path() {
        let seen = |text| tags(&arguments(Some(text), ALL).unwrap()[0]);
        assert_eq!(seen(r#"{"":{"path":"/tmp/ok"}}"#), [r#"\e.path="/tmp/ok""#]);
        let expected = [r#"\e.path="/tmp/ok""#, r#"path="/etc/passwd""#];
        assert_eq!(seen(r#"{"path":"/etc/passwd","":{"path":"/tmp/ok"}}"#), expected);
        assert_eq!(seen(r#"{"":{"path":"/tmp/ok"},"path":"/etc/passwd"}"#), expected);
        assert_eq!(seen(r#"{"a":{"":1},"a.":2,"\\e":3}"#), [r#"\\e="3""#, r#"a.\e="1""#, r#"a\.="2""#]);
    }

    /// There are servers (in Go, for one) that take the last of such members for both.
    #[test]
    fn tool_2_arguments_that_a_server_may_take_for_others_are_refused() {
        for text in [r#"{"path":"/tmp","Path":"/etc"}"#, r#"{"a":[{"TASK":1,"tas\u212a":2}]}"#] {
            assert!(arguments(Some(text), ALL).unwrap_err().contains("case"), "{text}");
        }
        assert!(arguments(Some(r#"{"Path":"/etc","x":{"path":"/tmp"}}"#), ALL).is_ok());
        let none = Reads { arguments: false, numbers: false, lists: false, ..ALL };
        assert!(arguments(Some(r#"{"path":"/tmp","Path":"/etc"}"#), none).is_ok(), "no policy looks at them");
    }

    /// A limit is no limit when 100.5 is not seen where 101 is.
    #[test]
    fn tool_2_what_cannot_be_shown_whole_is_refused() {
        assert!(arguments(Some(r#"{"amount":100.5}"#), ALL).is_err());
        assert!(arguments(Some(r#"{"amount":1e30}"#), ALL).is_err());
        assert!(arguments(Some(r#"{"amount":9223372036854775808}"#), ALL).is_err());
        assert!(arguments(Some(r#"{"amount":100.5}"#), Reads { numbers: false, ..ALL }).is_ok());
        let many: Vec<String> = (0..2_000).map(|n| format!(r#""{n}":1"#)).collect();
        assert!(arguments(Some(&format!("{{{}}}", many.join(","))), ALL).is_err());
    }
}
