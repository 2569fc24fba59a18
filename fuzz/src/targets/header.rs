//! Header values: every text travels as plain ASCII and comes back, and whatever comes in is read or refused.

use http::HeaderValue;
use omni_protocol::{decode_value, encode_value};

use crate::pieces::Pieces;

pub(crate) fn run(data: &[u8]) {
    let text = Pieces::new(data).rest_text();
    let header = encode_value(text);
    assert!(header.bytes().all(|b| (0x20..0x7f).contains(&b)) && HeaderValue::from_str(&header).is_ok(), "{header:?}");
    assert_eq!(decode_value(&header).as_deref(), Some(text));
    // What a stranger wrote, read once, is written so that it reads the same.
    if let Some(read) = decode_value(text) {
        assert_eq!(decode_value(&encode_value(&read)).as_deref(), Some(read.as_ref()));
    }
}
