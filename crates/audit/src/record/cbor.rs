//! Fields as CBOR (RFC 8949, core deterministic encoding): the five kinds of values that fields have, and no others.

use std::borrow::Cow;

use super::field::{Field, Value};
use crate::error::LogError;
use crate::field::FieldName;
use crate::told::Told;

const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const SIMPLE: u8 = 7;
const FALSE: u64 = 20;
const TRUE: u64 = 21;
/// What a field is called whose number this version does not know.
const LATER: &str = "field.";

/// Begins an array of so many fields.
pub(super) fn begin(fields: u64, out: &mut Vec<u8>) {
    head(out, ARRAY, fields * 2);
}

/// Appends a field of the schema.
pub(super) fn encode_told(name: FieldName, value: Told<'_>, out: &mut Vec<u8>) {
    head(out, UNSIGNED, u64::from(name.number()));
    match value {
        Told::Text(value) => text(out, value),
        Told::Number(value) => head(out, UNSIGNED, value),
        Told::Digest(value) => bytes(out, value),
        Told::List(values) => {
            head(out, ARRAY, values.len() as u64);
            values.iter().for_each(|value| text(out, value));
        }
    }
}

/// Appends bytes under a name that is the log's own.
pub(super) fn encode_named(name: &str, value: &[u8], out: &mut Vec<u8>) {
    text(out, name);
    bytes(out, value);
}

/// Appends that something is true, under a name that is the log's own.
pub(super) fn encode_true(name: &str, out: &mut Vec<u8>) {
    text(out, name);
    head(out, SIMPLE, TRUE);
}

/// Appends `count` fields as one array: name, value, name, value.
pub(super) fn encode<'a>(fields: impl Iterator<Item = &'a Field> + Clone, out: &mut Vec<u8>) {
    head(out, ARRAY, fields.clone().count() as u64 * 2);
    for field in fields {
        match number_of(&field.name) {
            Some(number) => head(out, UNSIGNED, number),
            None => text(out, &field.name),
        }
        match &field.value {
            Value::Text(value) => text(out, value),
            Value::Number(value) => head(out, UNSIGNED, *value),
            Value::Bytes(value) => bytes(out, value),
            Value::Flag(value) => head(out, SIMPLE, if *value { TRUE } else { FALSE }),
            Value::List(values) => {
                head(out, ARRAY, values.len() as u64);
                values.iter().for_each(|value| text(out, value));
            }
        }
    }
}

fn text(out: &mut Vec<u8>, value: &str) {
    head(out, TEXT, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, BYTES, value.len() as u64);
    out.extend_from_slice(value);
}

/// The shortest head: deterministic encoding has one form for a number.
fn head(out: &mut Vec<u8>, kind: u8, value: u64) {
    let kind = kind << 5;
    let wide = value.to_be_bytes();
    match value {
        0..=23 => out.push(kind | wide[7]),
        24..=0xff => out.extend_from_slice(&[kind | 24, wide[7]]),
        0x100..=0xffff => {
            out.push(kind | 25);
            out.extend_from_slice(&wide[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(kind | 26);
            out.extend_from_slice(&wide[4..]);
        }
        _ => {
            out.push(kind | 27);
            out.extend_from_slice(&wide);
        }
    }
}

/// Reads what [`encode`] wrote, all of `input`.
pub(super) fn decode(input: &[u8], personal: bool) -> Result<Vec<Field>, LogError> {
    let mut reader = Reader { rest: input };
    let (kind, items) = reader.head()?;
    if kind != ARRAY || items % 2 != 0 {
        return Err(wrong("it is no array of names and values"));
    }
    let mut fields = Vec::new();
    for _ in 0..items / 2 {
        let name = match reader.head()? {
            (UNSIGNED, number) => name_of(number),
            (TEXT, length) => Cow::Owned(unnumbered(reader.text(length)?)?),
            _ => return Err(wrong("a name is neither a text nor a number")),
        };
        fields.push(Field { name, personal, value: reader.value()? });
    }
    if reader.rest.is_empty() { Ok(fields) } else { Err(wrong("something follows the fields")) }
}

fn number_of(name: &str) -> Option<u64> {
    match name.strip_prefix(LATER) {
        Some(number) => number.parse().ok(),
        None => FieldName::of_name(name).map(|field| u64::from(field.number())),
    }
}

/// The name of a field by its number; one of a later version of the schema is shown by its number.
fn name_of(number: u64) -> Cow<'static, str> {
    let known = u8::try_from(number).ok().and_then(FieldName::of_number);
    known.map_or_else(|| Cow::Owned(format!("{LATER}{number}")), |field| Cow::Borrowed(field.as_str()))
}

fn unnumbered(name: String) -> Result<String, LogError> {
    if FieldName::of_name(&name).is_some() || name.starts_with(LATER) {
        return Err(wrong("a field that has a number is named by a text"));
    }
    Ok(name)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, LogError> {
        Ok(match self.head()? {
            (UNSIGNED, value) => Value::Number(value),
            (BYTES, length) => Value::Bytes(self.take(length)?.to_vec()),
            (TEXT, length) => Value::Text(self.text(length)?),
            (SIMPLE, FALSE) => Value::Flag(false),
            (SIMPLE, TRUE) => Value::Flag(true),
            (ARRAY, items) => {
                let mut values = Vec::new();
                for _ in 0..items {
                    match self.head()? {
                        (TEXT, length) => values.push(self.text(length)?),
                        _ => return Err(wrong("a list holds something else than texts")),
                    }
                }
                Value::List(values)
            }
            (kind, _) => return Err(wrong(&format!("a value of major type {kind} has no meaning here"))),
        })
    }

    fn head(&mut self) -> Result<(u8, u64), LogError> {
        let first = self.take(1)?[0];
        let (kind, short) = (first >> 5, first & 31);
        let (value, least) = match short {
            0..=23 => return Ok((kind, u64::from(short))),
            24 => (self.number(1)?, 24),
            25 => (self.number(2)?, 0x100),
            26 => (self.number(4)?, 0x1_0000),
            27 => (self.number(8)?, 0x1_0000_0000),
            _ => return Err(wrong("a length is indefinite or reserved")),
        };
        if value < least { Err(wrong("a number is not in its shortest form")) } else { Ok((kind, value)) }
    }

    fn number(&mut self, width: u64) -> Result<u64, LogError> {
        Ok(self.take(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn text(&mut self, length: u64) -> Result<String, LogError> {
        let bytes = self.take(length)?.to_vec();
        String::from_utf8(bytes).map_err(|_| wrong("a text is not UTF-8"))
    }

    fn take(&mut self, length: u64) -> Result<&[u8], LogError> {
        let parts = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = parts.ok_or_else(|| wrong("it ends early"))?;
        self.rest = rest;
        Ok(taken)
    }
}

fn wrong(what: &str) -> LogError {
    LogError::malformed("a list of fields in deterministic CBOR", what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::{decode, encode};
    use crate::record::{Field, Value};

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            ".{0,300}".prop_map(Value::Text),
            any::<u64>().prop_map(Value::Number),
            (0..300_u64).prop_map(Value::Number),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
            any::<bool>().prop_map(Value::Flag),
            proptest::collection::vec(".{0,9}", 0..30).prop_map(Value::List),
        ]
    }

    proptest! {
        #[test]
        fn fields_come_back_as_they_were(values in proptest::collection::vec((".{0,30}", value()), 0..30)) {
            let fields: Vec<_> = values.into_iter().map(|(name, value)| Field::hub(name, value)).collect();
            let mut bytes = Vec::new();
            encode(fields.iter(), &mut bytes);
            prop_assert_eq!(decode(&bytes, false).unwrap(), fields);
        }

        #[test]
        fn there_is_one_encoding_of_what_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(fields) = decode(&bytes, true) {
                let mut again = Vec::new();
                encode(fields.iter(), &mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_rfc_8949() {
        let fields = [Field::hub("a", Value::Number(1000)), Field::hub("b", Value::Bytes(vec![1, 2]))];
        let mut bytes = Vec::new();
        encode(fields.iter(), &mut bytes);
        assert_eq!(bytes, [0x84, 0x61, b'a', 0x19, 0x03, 0xe8, 0x61, b'b', 0x42, 1, 2]);
        decode(&[0x82, 0x61, b'a', 0x19, 0, 1], false).expect_err("1 has a shorter form");
        decode(&[0x9f, 0xff], false).expect_err("an indefinite length");
    }
}
