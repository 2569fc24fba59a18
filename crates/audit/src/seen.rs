//! An event as the log gives it back: what of it can be read, and why the rest cannot.

use std::borrow::Cow;

use crate::query::Fields;
use crate::record::{Field, Opened, Personal, RecordHeader, Value};

/// What queries call fields beside their own names.
const SHORT: &[(&str, &str)] = &[("resource", "name"), ("trace", "trace_id")];
/// Stands for who somebody is: how they are known, and their name.
const WHO: &str = "who";

/// An event as the log gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which of the logs of one data directory it stands in: 1 for the hub's, others for those of processes beside it.
    pub log: u8,
    /// Its place in the log.
    pub index: u64,
    /// When it was written (microseconds since 1970, UTC).
    pub time_us: i64,
    /// What can be read of it.
    pub fields: Vec<Field>,
    /// Why the rest cannot be read.
    pub closed: Closed,
}

/// Why parts of a record cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    /// What is of the hub, and why.
    pub internal: Option<String>,
    /// What concerns a person, and why.
    pub personal: Option<String>,
}

impl Seen {
    /// From an opened record.
    #[must_use]
    pub fn of(opened: Opened) -> Self {
        let personal = match opened.personal {
            Personal::None | Personal::Opened => None,
            Personal::Erased => Some("erased".to_owned()),
            Personal::Lost(why) => Some(why),
        };
        let closed = Closed { internal: None, personal };
        Self { fields: opened.fields, closed, ..Self::bare(&opened.header) }
    }

    /// Of a record that cannot be opened.
    #[must_use]
    pub fn sealed(header: &RecordHeader, why: String) -> Self {
        Self { closed: Closed { internal: Some(why), personal: None }, ..Self::bare(header) }
    }

    fn bare(header: &RecordHeader) -> Self {
        let time_us = i64::try_from(header.time_us).unwrap_or(i64::MAX);
        Self { log: 1, index: header.index, time_us, fields: Vec::new(), closed: Closed::default() }
    }

    /// What it is asked for by: its place, and before it the log where that is not the hub's (`2:17`).
    #[must_use]
    pub fn id(&self) -> String {
        if self.log == 1 { self.index.to_string() } else { format!("{}:{}", self.log, self.index) }
    }

    /// What a field holds.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// What a field of text holds.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What a field with a number holds.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Who it was: `key:ci`, `anonymous`, `system`; nothing where that cannot be read.
    #[must_use]
    pub fn who(&self) -> Option<String> {
        match (self.text("principal_kind")?, self.text("principal")) {
            (kind, Some(name)) => Some(format!("{kind}:{name}")),
            (kind @ ("anonymous" | "system"), None) => Some(kind.to_owned()),
            _ => None,
        }
    }
}

/// A value as text, for queries and people.
#[must_use]
pub fn value_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Bytes(bytes) => Cow::Owned(omni_types::hex(bytes)),
        Value::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Value::List(list) => Cow::Owned(list.join(" ")),
    }
}

impl Fields for Seen {
    fn time_us(&self) -> i64 {
        self.time_us
    }

    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        if name == WHO {
            return self.who().map(Cow::Owned);
        }
        let name = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, name)| name);
        self.value(name).map(value_text)
    }
}
