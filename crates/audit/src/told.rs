//! The value of a field, where it stands: so that writing it down copies it once.

/// The value of a field, where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told<'a> {
    /// As [`crate::FieldValue::Text`].
    Text(&'a str),
    /// As [`crate::FieldValue::Number`].
    Number(u64),
    /// As [`crate::FieldValue::Digest`].
    Digest(&'a [u8; 32]),
    /// As [`crate::FieldValue::List`].
    List(&'a [String]),
}
