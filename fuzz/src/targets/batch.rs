//! Batches: the elements are the ones serde_json reads, in their order, and never more than the bound.

use bytes::Bytes;
use omni_protocol::{BatchError, Message, MessageError, is_batch, split_batch};
use serde_json::Value;

use crate::pieces::Pieces;
use crate::tree::tree;

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let messages_max = usize::from(pieces.byte() % 8);
    let text = Bytes::copy_from_slice(pieces.rest());
    let known = tree(&text);
    let split = split_batch(&text, messages_max);
    if is_batch(&text) {
        let alone = Message::parse(text.clone());
        assert!(
            matches!(alone, Err(MessageError::Batch | MessageError::NotJson(_))),
            "a batch is one message: {alone:?}"
        );
    }
    match (split, known) {
        (Ok(parts), known) => {
            assert!(is_batch(&text) && parts.len() <= messages_max);
            let parts: Vec<Option<Value>> = parts.iter().map(tree).collect();
            if let Some(known) = known {
                assert_eq!(Some(&parts.into_iter().flatten().collect::<Vec<_>>()), known.as_array());
            }
        }
        (Err(BatchError::TooMany { max }), Some(known)) => {
            assert!(known.as_array().is_some_and(|all| all.len() > max), "there are not too many: {known}");
        }
        (Err(BatchError::Unreadable(why)), Some(known)) => assert!(!known.is_array(), "{why}: {known}"),
        (Err(_), None) => {}
    }
}
