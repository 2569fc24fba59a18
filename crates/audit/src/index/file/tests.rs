//! An index finds what was put in, and nothing that was changed since.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Index, IndexError};
use crate::index::{BLOCK_RECORDS, IndexBuilder, IndexKey, Placed};

fn key() -> IndexKey {
    IndexKey::new(&[7; 32])
}

/// Records as `(time, values)`; every one is 10 bytes long.
fn built(records: &[(i64, Vec<u16>)]) -> IndexBuilder {
    let mut builder = IndexBuilder::new(100);
    grow(&mut builder, records, 0);
    builder
}

fn grow(builder: &mut IndexBuilder, records: &[(i64, Vec<u16>)], skip: usize) {
    for (at, (time, values)) in records.iter().enumerate().skip(skip) {
        let from = at as u64 * 10;
        let tags: Vec<_> = values.iter().map(|value| key().tag("who", &value.to_be_bytes())).collect();
        let record = Placed { offset: from, end: from + 10, time_us: *time, leaf: [at as u8; 32] };
        builder.push(&record, tags);
    }
}

fn records() -> impl Strategy<Value = Vec<(i64, Vec<u16>)>> {
    proptest::collection::vec((-5_000..5_000_i64, proptest::collection::vec(0..700_u16, 0..3)), 1..900)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn diag_3_an_index_finds_what_a_naive_one_finds(records in records()) {
        let file = built(&records).finish(&key()).unwrap();
        let index = Index::open(file.as_slice(), key(), 100).unwrap();
        let mut naive: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        for (at, (_, values)) in records.iter().enumerate() {
            for value in values {
                let list = naive.entry(*value).or_default();
                if list.last() != Some(&(at as u32)) {
                    list.push(at as u32);
                }
            }
        }
        for value in 0..700_u16 {
            let found = index.places(key().tag("who", &value.to_be_bytes())).unwrap();
            prop_assert_eq!(found, naive.remove(&value).unwrap_or_default());
        }
        prop_assert!(index.places(key().tag("what", &1_u16.to_be_bytes())).unwrap().is_empty());
        let blocks = index.blocks().unwrap();
        for (block, records) in blocks.iter().zip(records.chunks(BLOCK_RECORDS as usize)) {
            prop_assert_eq!(Some(block.from_us), records.iter().map(|(time, _)| *time).min());
            prop_assert_eq!(Some(block.until_us), records.iter().map(|(time, _)| *time).max());
        }
        prop_assert_eq!(blocks.iter().map(|block| block.offset).collect::<Vec<_>>(),
            (0..records.len() as u64).step_by(BLOCK_RECORDS as usize).map(|at| at * 10).collect::<Vec<_>>());
    }

    #[test]
    fn one_that_grew_is_as_one_that_was_made_at_once(records in records(), cut: prop::sample::Index) {
        let cut = cut.index(records.len());
        let early = built(&records[..cut]).finish(&key()).unwrap();
        let mut grown = Index::open(early.as_slice(), key(), 100).unwrap().into_builder().unwrap();
        grow(&mut grown, &records, cut);
        prop_assert_eq!(grown.finish(&key()), built(&records).finish(&key()));
    }

    #[test]
    fn shb_4_a_changed_byte_is_never_believed(records in records(), at: prop::sample::Index, bit in 0..8_u8) {
        let mut file = built(&records).finish(&key()).unwrap();
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        // Whatever part it is in, that part is refused, and the others say what they said.
        let Ok(index) = Index::open(file.as_slice(), key(), 100) else { return Ok(()) };
        prop_assert!(index.into_builder().is_err(), "byte {} of {}", at, file.len());
    }

    #[test]
    fn shb_4_bytes_of_chance_are_no_index(bytes in any::<Vec<u8>>()) {
        prop_assert!(Index::open(bytes.as_slice(), key(), 100).is_err());
    }
}

#[test]
fn shb_4_an_index_of_another_key_segment_or_age_does_not_fit() {
    let records: Vec<(i64, Vec<u16>)> = (0..600_u16).map(|at| (i64::from(at), vec![at % 3, at])).collect();
    let file = built(&records).finish(&key()).unwrap();
    let open =
        |file: &[u8], key, first| Index::open(file, key, first).map(|index| index.into_builder().map(drop)).is_ok();
    assert!(open(&file, key(), 100));
    assert!(!open(&file, IndexKey::new(&[8; 32]), 100));
    assert!(!open(&file, key(), 101));
    assert!(!open(&file[..file.len() - 1], key(), 100));
    assert!(!open(&[file.as_slice(), b"x"].concat(), key(), 100));
    // A page of an older index in place of the newer one's: same key, same page.
    let mut older = records.clone();
    older.truncate(599);
    older.push((599, vec![599 % 3, 599]));
    let same = built(&older).finish(&key()).unwrap();
    assert_eq!(same, file, "the same records make the same index");
    let older = built(&records[..599]).finish(&key()).unwrap();
    let mut spliced = file.clone();
    let cut = older.len().min(file.len());
    spliced[300..cut].copy_from_slice(&older[300..cut]);
    let index = Index::open(spliced.as_slice(), key(), 100).unwrap();
    assert!(matches!(index.into_builder(), Err(IndexError::Forged)));
}
