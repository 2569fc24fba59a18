//! Asking the audit log: questions, times and proofs of chance are read as they are written or refused, and an index finds what was
//! put in and believes nothing that was changed.

use std::sync::LazyLock;

use omni_audit::RecordProof;
use omni_audit::index::{Index, IndexBuilder, IndexKey, Placed};
use omni_audit::query::{Term, instant, parse_instant};

use crate::pieces::Pieces;

static KEY: LazyLock<IndexKey> = LazyLock::new(|| IndexKey::new(&[7; 32]));

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let (at, bit) = (usize::from(pieces.byte()) << 4, pieces.byte());
    let text = pieces.text();
    if let Ok(term) = Term::parse(text) {
        assert_eq!(Term::parse(&term.to_string()).as_ref(), Ok(&term), "{text:?}");
    }
    if let Some(time) = parse_instant(text) {
        assert_eq!(parse_instant(&instant(time)), Some(time), "{text:?}");
    }
    let proof = pieces.text();
    if let Ok(proof) = proof.parse::<RecordProof>() {
        assert!(
            proof.to_string().parse::<RecordProof>().is_ok_and(|again| again == proof),
            "it is not written as it was read"
        );
        assert!(proof.check(&[]).is_err(), "nobody is trusted, and it is proven");
    }
    let rest = pieces.rest();
    assert!(Index::open(rest, KEY.clone(), 0).is_err(), "bytes of chance are an index");
    index(rest, at, bit);
}

/// Each byte is a record that one of 256 persons made.
fn index(records: &[u8], at: usize, bit: u8) {
    let mut builder = IndexBuilder::new(0);
    for (place, byte) in (0_u64..).zip(records) {
        let time_us = i64::from(*byte) << (place % 56);
        builder.push(
            &Placed { offset: place * 9, end: place * 9 + 9, time_us, leaf: [*byte; 32] },
            [KEY.tag("who", &[*byte])],
        );
    }
    let Some(mut file) = builder.finish(&KEY) else { panic!("no index of {} records", records.len()) };
    let Ok(made) = Index::open(file.as_slice(), KEY.clone(), 0) else { panic!("what was made does not open") };
    if let Some(byte) = records.first() {
        let naive: Vec<u32> =
            (0_u32..).zip(records).filter(|(_, other)| *other == byte).map(|(place, _)| place).collect();
        assert_eq!(made.places(KEY.tag("who", &[*byte])).ok(), Some(naive));
    }
    let at = at % file.len();
    file[at] ^= 1 << (bit % 8);
    let believed = Index::open(file.as_slice(), KEY.clone(), 0).and_then(Index::into_builder);
    assert!(believed.is_err(), "changed at {at}, it is believed");
}
