//! Pages of lists: items stay the bytes they were, only their key is read.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::range_of;
use crate::method::ListKind;
use crate::object::members;

/// One page of a list.
#[derive(Debug, Default)]
pub struct ListPage {
    /// Each item's key (its name or URI) and JSON text, with the place of the key's text in it.
    pub items: Vec<(String, std::ops::Range<usize>, Box<str>)>,
    /// Where to go on.
    pub next_cursor: Option<String>,
    /// Items that have no key and were left out.
    pub broken: usize,
}

/// Reads the result of a list method.
///
/// # Errors
/// When the result is no object, or its items are no array.
pub fn parse_list_page(kind: ListKind, result: &str) -> Result<ListPage, serde_json::Error> {
    let mut page = ListPage::default();
    for (name, value) in members(result)? {
        if name == kind.member() {
            let items: Vec<&RawValue> = serde_json::from_str(value.get())?;
            page.items.reserve(items.len());
            for item in items {
                match item_key(kind, item.get()) {
                    Some((key, range)) => page.items.push((key, range, item.get().into())),
                    None => page.broken += 1,
                }
            }
        } else if name == "nextCursor" {
            page.next_cursor = <Option<String>>::deserialize(&mut serde_json::Deserializer::from_str(value.get()))?;
        }
    }
    Ok(page)
}

fn item_key(kind: ListKind, item: &str) -> Option<(String, std::ops::Range<usize>)> {
    let found = members(item).ok()?;
    let mut keys = found.iter().filter(|(name, _)| name == kind.key());
    let (_, value) = keys.next()?;
    if keys.next().is_some() {
        return None;
    }
    let key: Cow<'_, str> = serde_json::from_str(value.get()).ok()?;
    Some((key.into_owned(), range_of(item.as_bytes(), value.get())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::parse_list_page;
    use crate::ListKind;

    #[test]
    fn items_keep_their_bytes() {
        let text = r#"{"tools":[{"x":1.0, "name":"a"},{"noname":1},{"name":"b","name":"c"}],"nextCursor":"n"}"#;
        let page = parse_list_page(ListKind::Tools, text).unwrap();
        assert_eq!(page.items.len(), 1);
        assert_eq!(page.broken, 2);
        let (key, range, item) = &page.items[0];
        assert_eq!((key.as_str(), &item[range.clone()], item.as_ref()), ("a", "\"a\"", r#"{"x":1.0, "name":"a"}"#));
        assert_eq!(page.next_cursor.as_deref(), Some("n"));
        assert!(parse_list_page(ListKind::Tools, r#"{"tools":{}}"#).is_err());
        assert_eq!(parse_list_page(ListKind::Tools, r#"{"nextCursor":null}"#).unwrap().next_cursor, None);
    }
}
