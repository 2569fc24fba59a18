//! Cutting and joining JSON objects as bytes, so that what is not touched stays as it was written.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// Replacements in a piece of JSON text, applied in one copy.
#[derive(Debug, Default)]
pub struct Splice<'a> {
    /// Nearly always the only one: the id.
    first: Option<Edit<'a>>,
    more: Vec<Edit<'a>>,
}

/// What stands where.
type Edit<'a> = (Range<usize>, Cow<'a, [u8]>);

impl<'a> Splice<'a> {
    /// No replacement yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    /// Puts `text` in the place of `range`. Ranges must not overlap.
    pub fn replace(&mut self, range: Range<usize>, text: impl Into<Cow<'a, [u8]>>) {
        let edit = (range, text.into());
        match &self.first {
            None => self.first = Some(edit),
            Some(_) => self.more.push(edit),
        }
    }

    /// Whether nothing would change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether there is one replacement alone.
    #[must_use]
    pub const fn is_one(&self) -> bool {
        self.first.is_some() && self.more.is_empty()
    }

    /// A copy of `source` with the replacements made.
    #[must_use]
    pub fn apply(mut self, source: &[u8]) -> Vec<u8> {
        let Some(first) = self.first else { return source.to_vec() };
        let only;
        let edits = if self.more.is_empty() {
            only = [first];
            &only[..]
        } else {
            self.more.insert(0, first);
            self.more.sort_by_key(|(range, _)| range.start);
            &self.more
        };
        let change = |(range, text): &Edit<'_>| (range.len(), text.len());
        let (gone, added) = edits.iter().map(change).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        // Exactly as much room as is needed: then no other copy is made when it becomes `Bytes`.
        let mut out = Vec::with_capacity((source.len() + added).saturating_sub(gone));
        let mut at = 0;
        for (range, text) in edits {
            out.extend_from_slice(&source[at..range.start]);
            out.extend_from_slice(text);
            at = range.end;
        }
        out.extend_from_slice(&source[at..]);
        out
    }
}

/// The first member `name` of the object `text`; `None` where there is none, or `text` is no object.
#[must_use]
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a RawValue> {
    members(text).ok()?.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// Whether an object in the JSON text could have the member of this name, given with its quotes; its letters need no escapes.
/// `false` is sure: names may be written with escapes (`"\u0074askId"`), which a plain search would miss and a reader finds.
#[must_use]
pub fn might_have(text: &str, quoted: &str) -> bool {
    let bytes = text.as_bytes();
    text.contains(quoted) || memchr::memchr_iter(b'\\', bytes).any(|at| bytes.get(at + 1) == Some(&b'u'))
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<CowStr<'de>>()? {
            self.0.push((key.0, map.next_value()?));
        }
        Ok(self)
    }
}

#[derive(serde::Deserialize)]
struct CowStr<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of the object `text`, in their order; values as they were written.
///
/// # Errors
/// When `text` is no JSON object.
pub fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Members(found) = deserializer.deserialize_map(Members(Vec::new()))?;
    deserializer.end()?;
    Ok(found)
}

/// The object `text` with `"key":value` texts put before its first member. `added` is joined by the caller with commas.
#[must_use]
pub fn object_with(text: &str, added: &str) -> String {
    if added.is_empty() {
        return text.to_owned();
    }
    let inner = text.trim_start().strip_prefix('{').unwrap_or(text);
    let comma = if inner.trim_start().starts_with('}') { "" } else { "," };
    format!("{{{added}{comma}{inner}")
}

/// The object `text` without the members named by `unwanted`; unchanged members stay as they were written.
///
/// # Errors
/// When `text` is no JSON object.
pub fn without_members(text: &str, unwanted: impl Fn(&str) -> bool) -> Result<String, serde_json::Error> {
    let found = members(text)?;
    if !found.iter().any(|(key, _)| unwanted(key)) {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    out.push('{');
    for (key, value) in found.iter().filter(|(key, _)| !unwanted(key)) {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(key)?);
        out.push(':');
        out.push_str(value.get());
    }
    out.push('}');
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Splice, members, might_have, object_with, without_members};

    #[test]
    fn val_5_a_name_is_not_hidden_by_escapes() {
        let name = "\"taskId\"";
        assert!(might_have(r#"{"a":[{"taskId":1}]}"#, name) && might_have(r#"{"\u0074askId":1}"#, name));
        assert!(!might_have(r#"{"a":"my taskId\n","taskIds":1}"#, name));
    }

    #[test]
    fn splices_and_members() {
        let mut splice = Splice::new();
        splice.replace(6..7, &b"22"[..]);
        splice.replace(1..1, &b"\"z\":0,"[..]);
        assert_eq!(splice.apply(br#"{"a": 1}"#), br#"{"z":0,"a": 22}"#);
        assert_eq!(object_with("{ }", "\"a\":1"), "{\"a\":1 }");
        assert_eq!(object_with("{\"b\":2}", "\"a\":1"), "{\"a\":1,\"b\":2}");
        assert_eq!(without_members(r#"{"a":1e2, "b": {"c":1} ,"d":3}"#, |k| k == "b").unwrap(), r#"{"a":1e2,"d":3}"#);
        assert_eq!(members(r#"{"a\n":1,"b":[2]}"#).unwrap()[0].0, "a\n");
        assert!(members("[1]").is_err());
    }
}
