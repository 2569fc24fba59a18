//! Whether any key begins in a text, in two quick looks: each prefix holds a byte that texts seldom hold.
//!
//! A search for thirty words at once (Aho-Corasick with its packed prefilter) costs 8 to 70 instructions a byte here, since
//! the words begin with what texts are full of; a search for three bytes costs a third of one.

use std::sync::OnceLock;

use crate::detect::keys::shape::words;

/// The bytes that are looked for, three at a time. Each prefix holds one of them.
const RARE: [[u8; 3]; 2] = [*b"_-.", *b"AJ:"];

/// A prefix, and where its first rare byte stands in it.
struct Anchored {
    at: usize,
    prefix: &'static [u8],
}

/// The prefixes by their rare byte, in the order of [`RARE`].
fn anchored() -> &'static [Vec<Anchored>; 6] {
    static ALL: OnceLock<[Vec<Anchored>; 6]> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: [Vec<Anchored>; 6] = Default::default();
        for prefix in words().map(str::as_bytes) {
            let anchor = prefix.iter().enumerate().find_map(|(at, byte)| Some((at, slot(*byte)?)));
            if let Some((at, slot)) = anchor {
                all[slot].push(Anchored { at, prefix });
            }
        }
        all
    })
}

fn slot(byte: u8) -> Option<usize> {
    RARE.as_flattened().iter().position(|rare| *rare == byte)
}

/// Whether one of the prefixes stands in `bytes`.
pub(super) fn is_in(bytes: &[u8]) -> bool {
    let all = anchored();
    RARE.iter().any(|[first, second, third]| {
        memchr::memchr3_iter(*first, *second, *third, bytes).any(|at| {
            let near = slot(bytes[at]).map_or(&[][..], |slot| &all[slot]);
            near.iter().any(|anchored| stands(bytes, at, anchored))
        })
    })
}

fn stands(bytes: &[u8], at: usize, anchored: &Anchored) -> bool {
    let from = at.checked_sub(anchored.at);
    from.and_then(|from| bytes.get(from..)).is_some_and(|rest| rest.starts_with(anchored.prefix))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{is_in, slot};
    use crate::detect::keys::prefixes;
    use crate::detect::keys::shape::words;
    use proptest::prelude::*;

    #[test]
    fn comp_4_each_prefix_holds_a_byte_that_is_looked_for() {
        for word in words() {
            assert!(word.bytes().any(|byte| slot(byte).is_some()), "{word}");
            for text in [word.to_owned(), format!("---..__AAJ::{word}"), format!("a{word}")] {
                assert!(is_in(text.as_bytes()), "{text}");
            }
        }
        assert!(!is_in(b"-----BEGIN"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn comp_4_the_quick_look_sees_what_the_search_finds(
            parts in prop::collection::vec(prop_oneof![
                prop::sample::select(words().collect::<Vec<_>>()).prop_flat_map(|word| {
                    (0..=word.len(), 0..=word.len()).prop_map(move |(a, b)| word[a.min(b)..a.max(b)].to_owned())
                }),
                "[a-zA-J_:/ .-]{0,4}",
            ], 0..6),
        ) {
            let text = parts.concat();
            prop_assert_eq!(is_in(text.as_bytes()), prefixes().unwrap().is_match(&text), "{:?}", text);
        }
    }
}
