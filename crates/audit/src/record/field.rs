//! A field of a record: a name, whose it is, a value.

use std::borrow::Cow;

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, as the schema of events has it.
    pub name: Cow<'static, str>,
    /// Whether it is stored under the person's key.
    pub personal: bool,
    /// Its value.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// Bytes: digests, ids.
    Bytes(Vec<u8>),
    /// Yes or no.
    Flag(bool),
    /// Texts in order.
    List(Vec<String>),
}

impl Field {
    /// A field that is the hub's.
    pub fn hub(name: impl Into<Cow<'static, str>>, value: Value) -> Self {
        Self { name: name.into(), personal: false, value }
    }

    /// A field that is a person's.
    pub fn personal(name: impl Into<Cow<'static, str>>, value: Value) -> Self {
        Self { name: name.into(), personal: true, value }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}
