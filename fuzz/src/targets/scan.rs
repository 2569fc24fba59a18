//! The walk over the parameters: it and a plain recursive one agree on what is too deep, too long, too many, or there twice.

use omni_protocol::{Bounds, members, scan};
use serde_json::value::RawValue;
use std::collections::HashSet;

use crate::pieces::Pieces;

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let (depth, elements, string) = (pieces.byte(), pieces.byte(), pieces.byte());
    let text = pieces.rest_text();
    // What serde_json calls JSON is what is scanned; names of half a surrogate pair the plain walk cannot compare.
    let Ok(raw) = serde_json::from_str::<&RawValue>(text) else { return };
    let bounds = Bounds {
        depth_max: usize::from(depth % 64) + 1,
        elements_max: usize::from(elements) + 1,
        // The plain walk sees names decoded, so their length as written is only known where nothing is escaped.
        string_bytes_max: if text.contains('\\') { usize::MAX } else { usize::from(string) },
    };
    let Some(expected) = fits(raw, &bounds, 0) else { return };
    let found = scan(text, &bounds);
    assert_eq!(found.is_ok(), expected, "{found:?}");
}

fn fits(value: &RawValue, bounds: &Bounds, depth: usize) -> Option<bool> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => Some(text.len() - 2 <= bounds.string_bytes_max),
        Some(b'{') => {
            let found = members(text).ok()?;
            let mut seen = HashSet::new();
            let own = depth < bounds.depth_max
                && found.len() <= bounds.elements_max
                && found.iter().all(|(name, _)| name.len() <= bounds.string_bytes_max && seen.insert(name.clone()));
            found.iter().try_fold(own, |so_far, (_, value)| Some(so_far & fits(value, bounds, depth + 1)?))
        }
        Some(b'[') => {
            let found: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let own = depth < bounds.depth_max && found.len() <= bounds.elements_max;
            found.iter().try_fold(own, |so_far, value| Some(so_far & fits(value, bounds, depth + 1)?))
        }
        _ => Some(true),
    }
}
