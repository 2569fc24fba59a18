//! Batches of revision 2025-03-26: a JSON array of messages, taken apart without a copy and bounded in number.

use std::cell::Cell;

use bytes::Bytes;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::message::range_of;

/// Why an array is no batch that is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// It has more elements than are read.
    #[error("a batch of more than {max} messages")]
    TooMany {
        /// The bound.
        max: usize,
    },
    /// It is no JSON array.
    #[error("no JSON array: {0}")]
    Unreadable(String),
}

/// Whether `text` begins as an array does, so that it can only be a batch.
#[must_use]
pub fn is_batch(text: &[u8]) -> bool {
    text.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[')
}

/// The elements of the array `text`, whatever each of them is: the caller parses them one by one.
///
/// # Errors
/// When it is no array, or one of more than `messages_max` elements.
pub fn split_batch(text: &Bytes, messages_max: usize) -> Result<Vec<Bytes>, BatchError> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let too_many = Cell::new(false);
    let parts = reader.deserialize_seq(Parts { messages_max, too_many: &too_many });
    let parts = parts.and_then(|parts| reader.end().map(|()| parts)).map_err(|e| match too_many.get() {
        true => BatchError::TooMany { max: messages_max },
        false => BatchError::Unreadable(e.to_string()),
    })?;
    Ok(parts.into_iter().map(|part| text.slice(range_of(text, part.get()))).collect())
}

/// Collects borrowed elements, and stops reading at the bound.
struct Parts<'a> {
    messages_max: usize,
    too_many: &'a Cell<bool>,
}

impl<'de> Visitor<'de> for Parts<'_> {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = elements.next_element::<&RawValue>()? {
            if parts.len() == self.messages_max {
                self.too_many.set(true);
                return Err(A::Error::custom("too many"));
            }
            parts.push(part);
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;

    use super::{BatchError, is_batch, split_batch};

    #[test]
    fn val_1_a_batch_is_taken_apart_in_order() {
        let text = Bytes::from_static(b" [ {\"a\": [1]} ,2,\t\"]\" ]\r\n");
        assert!(is_batch(&text) && !is_batch(b" {}") && !is_batch(b""));
        let parts = split_batch(&text, 3).unwrap();
        assert_eq!(parts, [&b"{\"a\": [1]}"[..], b"2", b"\"]\""]);
        // The elements are places in the bytes that came, not copies.
        assert_eq!(parts[0].as_ptr(), text[3..].as_ptr());
        assert_eq!(split_batch(&Bytes::from_static(b"[]"), 3).unwrap().len(), 0);
    }

    #[test]
    fn val_1_what_is_no_batch_or_too_long_a_one_is_refused() {
        for bad in ["[1,2", "[1]x", "{}", "[1,]", "[\u{7}]"] {
            assert!(split_batch(&Bytes::from(bad.to_owned()), 9).is_err(), "{bad}");
        }
        let million = format!("[{}0]", "0,".repeat(999_999));
        assert_eq!(split_batch(&Bytes::from(million), 1000), Err(BatchError::TooMany { max: 1000 }));
    }
}
