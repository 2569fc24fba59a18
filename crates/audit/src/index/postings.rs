//! A list of places in a segment: rising numbers, kept as the steps between them.

/// Longest number in this coding: 64 bits by sevens.
const VARINT_BYTES_MAX: usize = 10;

/// A list that grows at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Postings {
    steps: Vec<u8>,
    next: u32,
}

impl Postings {
    /// Adds a place. One that does not lie behind the last is there already, or never was meant: it is left out.
    pub(crate) fn push(&mut self, place: u32) {
        if place >= self.next && place < u32::MAX {
            put_varint(&mut self.steps, u64::from(place - self.next));
            self.next = place + 1;
        }
    }

    /// The list as it is kept.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.steps
    }

    /// Reads a list that is kept; every place has to be below `count`.
    pub(crate) fn read(bytes: &[u8], count: u32) -> Option<Self> {
        let last = places(bytes, count)?.last().copied();
        Some(Self { steps: bytes.to_vec(), next: last.map_or(0, |last| last + 1) })
    }
}

/// The places in a list that is kept, every one below `count`; `None` where the bytes are no such list.
pub(crate) fn places(mut bytes: &[u8], count: u32) -> Option<Vec<u32>> {
    let mut places = Vec::with_capacity(bytes.len().min(count as usize));
    let mut next = 0_u32;
    while !bytes.is_empty() {
        let step = u32::try_from(take_varint(&mut bytes)?).ok()?;
        let place = next.checked_add(step).filter(|place| *place < count)?;
        places.push(place);
        next = place + 1;
    }
    Some(places)
}

/// Places that are in one of two rising lists.
pub(crate) fn either(one: &[u32], other: &[u32]) -> Vec<u32> {
    let mut all = Vec::with_capacity(one.len() + other.len());
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        all.push(*a.min(b));
        i += usize::from(a <= b);
        j += usize::from(b <= a);
    }
    all.extend_from_slice(&one[i..]);
    all.extend_from_slice(&other[j..]);
    all
}

/// Places that are in both of two rising lists.
pub(crate) fn both(one: &[u32], other: &[u32]) -> Vec<u32> {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let mut rest = long;
    let mut all = Vec::with_capacity(short.len());
    for place in short {
        rest = &rest[rest.partition_point(|other| other < place)..];
        if rest.first() == Some(place) {
            all.push(*place);
        }
    }
    all
}

/// Writes a number, seven bits a byte, the lowest first.
pub(crate) fn put_varint(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Reads a number; `None` where the bytes end, or it is larger than 64 bits.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if at == VARINT_BYTES_MAX - 1 && bits > 1 {
            return None;
        }
        number |= bits << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Postings, both, either, places, put_varint, take_varint};

    proptest! {
        #[test]
        fn a_list_is_read_as_it_was_written(set in proptest::collection::btree_set(0..5_000_u32, 0..300)) {
            let mut list = Postings::default();
            for place in &set {
                list.push(*place);
                list.push(*place);
            }
            let all: Vec<u32> = set.iter().copied().collect();
            prop_assert_eq!(places(list.as_bytes(), 5_000), Some(all.clone()));
            prop_assert_eq!(Postings::read(list.as_bytes(), 5_000), Some(list.clone()));
            if let Some(last) = all.last() {
                prop_assert_eq!(places(list.as_bytes(), *last), None);
            }
        }

        #[test]
        fn lists_join_and_meet_as_sets_do(a in proptest::collection::btree_set(0..60_u32, 0..40), b in proptest::collection::btree_set(0..60_u32, 0..40)) {
            let list = |set: &BTreeSet<u32>| set.iter().copied().collect::<Vec<_>>();
            prop_assert_eq!(either(&list(&a), &list(&b)), list(&(&a | &b)));
            prop_assert_eq!(both(&list(&a), &list(&b)), list(&(&a & &b)));
        }

        #[test]
        fn bytes_of_chance_are_a_list_or_none(bytes in any::<Vec<u8>>(), count: u32) {
            if let Some(places) = places(&bytes, count) {
                prop_assert!(places.is_sorted() && places.iter().all(|place| *place < count));
            }
        }

        #[test]
        fn numbers_are_read_as_they_were_written(number: u64) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            prop_assert_eq!(take_varint(&mut bytes.as_slice()), Some(number));
            prop_assert_eq!(take_varint(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
