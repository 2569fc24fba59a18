//! Pages of lists: items are the bytes that stand there, their keys what serde_json reads, and a renamed item is renamed only.

use omni_protocol::{ListKind, Splice, parse_list_page};
use serde_json::Value;

use crate::pieces::Pieces;
use crate::tree::{has_duplicates, tree, written};

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let kind = ListKind::ALL[usize::from(pieces.byte() % 4)];
    let text = pieces.rest_text();
    let Ok(page) = parse_list_page(kind, text) else { return };
    let Some(known) = tree(text) else { return };
    if has_duplicates(text) {
        return;
    }
    let listed = known.get(kind.member()).and_then(Value::as_array).cloned().unwrap_or_default();
    assert_eq!(page.items.len() + page.broken, listed.len());
    assert_eq!(page.next_cursor.as_deref(), known.get("nextCursor").and_then(Value::as_str));
    let mut rest = listed.iter();
    for (key, range, item) in &page.items {
        let Some(own) = tree(item.as_bytes()) else { panic!("an item that is no JSON: {item}") };
        assert!(rest.any(|listed| *listed == own), "an item that is not listed, or out of order: {item}");
        assert_eq!(own[kind.key()], Value::from(key.as_str()));
        assert_eq!(tree(&item.as_bytes()[range.clone()]), Some(Value::from(key.as_str())));
        let mut splice = Splice::new();
        splice.replace(range.clone(), &b"\"other\""[..]);
        let mut expected = own;
        expected[kind.key()] = Value::from("other");
        assert_eq!(written(splice.apply(item.as_bytes())), expected);
    }
}
