//! Records of the audit log and their CBOR: what is read is written in the one form there is, and what was sealed opens in its own
//! place alone.

use std::sync::{Arc, LazyLock};

use omni_audit::{KeyId, KeySource, LogError, Opened, PlainRecord, Record, Seal, open};

const LOG: [u8; 16] = [3; 16];

struct OneKey(Arc<Seal>);

impl KeySource for OneKey {
    fn data_key(&self, _: &KeyId) -> Result<Arc<Seal>, LogError> {
        Ok(Arc::clone(&self.0))
    }

    fn person_key(&self, _: &KeyId) -> Result<Option<Arc<Seal>>, LogError> {
        Ok(Some(Arc::clone(&self.0)))
    }
}

static KEYS: LazyLock<OneKey> = LazyLock::new(|| match Seal::new([1; 8], &[5; 32]) {
    Ok(seal) => OneKey(Arc::new(seal)),
    Err(error) => panic!("{error}"),
});

pub(crate) fn run(data: &[u8]) {
    // As it came, and as the fields of a record in clear: else chance has to hit upon its header.
    let _as_it_came = read(data);
    let Ok(length) = u16::try_from(data.len()) else { return };
    let head = [&[1, 2][..], &[0; 24], &length.to_be_bytes()].concat();
    let Some(opened) = read(&[head.as_slice(), data].concat()) else { return };
    // Deterministic encoding: the same fields have the same bytes, so what was read from others is refused.
    let fields = opened.fields.as_slice();
    let again = PlainRecord { index: 0, time_us: 0, fields }.in_clear();
    let same = |bytes: &[u8]| read(bytes).is_some_and(|read| read.fields == opened.fields);
    assert!(same(&again) || cut(&again), "fields are not written as they were read: {fields:?}");
    let Ok(sealed) = (PlainRecord { index: 9, time_us: 8, fields }).seal(&LOG, &KEYS.0, Some(&KEYS.0)) else {
        panic!("sealing fails: {fields:?}")
    };
    assert!(read(&sealed).is_some(), "what was sealed does not open");
    let mut moved = sealed;
    moved[9] ^= 1;
    assert!(read(&moved).is_none(), "it opens in the place of another");
}

fn read(bytes: &[u8]) -> Option<Opened> {
    open(&Record::parse(bytes).ok()?, &LOG, &*KEYS).ok()
}

/// Whether fields were cut, since they are longer than a part may be.
fn cut(bytes: &[u8]) -> bool {
    read(bytes).is_some_and(|read| read.fields.iter().any(|field| field.name == "log.cut"))
}
