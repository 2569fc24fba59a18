//! Sealing and opening a record's parts: AES-256-GCM-SIV, bound to the log and to the record's header.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::cbor;
use super::field::{Field, Value};
use super::layout::{HEADER_LEN, KeyId, RECORD_BYTES_MAX, Record, RecordHeader, encode_header};
use crate::error::LogError;

pub(super) const TAG_LEN: usize = 16;
const CONTEXT: &[u8] = b"omni-audit/1";
const AAD_LEN: usize = CONTEXT.len() + 16 + HEADER_LEN + 1;
pub(super) const HUB_PART: u8 = 1;
pub(super) const PERSONAL_PART: u8 = 2;
/// The bound of each part before it is sealed, so that both fit into a record.
pub(super) const PART_BYTES_MAX: usize = 32_000;
/// The bound of what stands in clear, which is a record's only part.
const PLAIN_BYTES_MAX: usize = 65_000;
/// The field of the first part that names the person's key. It is sealed, so the disk does not tell whose records are
/// one person's.
pub(super) const PERSON_KEY: &str = "log.person_key";
/// Says that personal fields were left out for want of their person's key.
pub(super) const WITHHELD: &str = "log.withheld";

/// A key that seals.
pub struct Seal {
    id: KeyId,
    key: LessSafeKey,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal({:016x})", u64::from_be_bytes(self.id))
    }
}

impl Seal {
    /// The key of this id.
    ///
    /// # Errors
    /// Never with 32 bytes; the library wants it said.
    pub fn new(id: KeyId, key: &[u8; 32]) -> Result<Self, LogError> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key)
            .map_err(|_| LogError::Key("a data key is none for AES-256-GCM-SIV".to_owned()))?;
        Ok(Self { id, key: LessSafeKey::new(key) })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    fn seal(&self, log: &[u8; 16], head: &[u8], part: u8, text: &mut Vec<u8>) -> Result<(), LogError> {
        self.seal_end((log, head, part), 0, text)
    }

    /// Seals what stands in `out` from `begin` on for this log, header and part, and appends the tag.
    pub(super) fn seal_end(
        &self,
        (log, head, part): (&[u8; 16], &[u8], u8),
        begin: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), LogError> {
        let aad = Aad::from(aad(log, head, part)?);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(head)?, aad, &mut out[begin..])
            .map_err(|_| LogError::Key("sealing a record failed".to_owned()))?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn open(&self, log: &[u8; 16], head: &[u8], part: u8, sealed: &[u8]) -> Result<Vec<u8>, LogError> {
        let mut text = sealed.to_vec();
        let length = self
            .key
            .open_in_place(nonce(head)?, Aad::from(aad(log, head, part)?), &mut text)
            .map_err(|_| {
                LogError::Key("a record does not open with its key: it was changed, or the key is another".to_owned())
            })?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

/// The log, the whole header and the part: what was sealed for one place opens in no other.
fn aad(log: &[u8; 16], head: &[u8], part: u8) -> Result<[u8; AAD_LEN], LogError> {
    let mut aad = [part; AAD_LEN];
    let (context, rest) = aad.split_at_mut(CONTEXT.len());
    let (id, rest) = rest.split_at_mut(log.len());
    let head: &[u8; HEADER_LEN] = head.try_into().map_err(|_| LogError::malformed("a record", "its header is none"))?;
    context.copy_from_slice(CONTEXT);
    id.copy_from_slice(log);
    rest[..HEADER_LEN].copy_from_slice(head);
    Ok(aad)
}

/// The index and the time's low bits. An index is sealed twice only where a write failed and was made again, at another
/// time; and the cipher stands a nonce that comes twice (RFC 8452).
fn nonce(head: &[u8]) -> Result<Nonce, LogError> {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&head[2..10]);
    nonce[8..].copy_from_slice(&head[14..18]);
    Ok(Nonce::assume_unique_for_key(nonce))
}

/// A record before it is sealed.
#[derive(Debug)]
pub struct PlainRecord<'a> {
    /// Its number.
    pub index: u64,
    /// When it was recorded: microseconds since 1970, UTC.
    pub time_us: u64,
    /// What it says.
    pub fields: &'a [Field],
}

impl PlainRecord<'_> {
    /// The record's bytes: personal fields under `person`'s key, the others under `data`'s. Fields that would not fit are
    /// cut, and the field `log.cut` says so.
    ///
    /// # Errors
    /// Where the cipher fails.
    pub fn seal(&self, log: &[u8; 16], data: &Seal, person: Option<&Seal>) -> Result<Vec<u8>, LogError> {
        let mut hub: Vec<Field> =
            self.fields.iter().filter(|field| !field.personal || person.is_none()).cloned().collect();
        let mut own: Vec<Field> =
            self.fields.iter().filter(|field| field.personal && person.is_some()).cloned().collect();
        if person.is_none() && hub.iter().any(|field| field.personal) {
            // Fail closed: what is personal and has no person's key is not stored under a key that nobody can erase.
            hub.retain(|field| !field.personal);
            hub.push(Field::hub(WITHHELD, Value::Flag(true)));
        }
        if let (Some(person), false) = (person, own.is_empty()) {
            hub.insert(0, Field::hub(PERSON_KEY, Value::Bytes(person.id.to_vec())));
        }
        let mut personal_text = Vec::new();
        if !own.is_empty() {
            fit(&mut own);
            cbor::encode(own.iter(), &mut personal_text);
        }
        fit(&mut hub);
        let mut text = Vec::new();
        cbor::encode(hub.iter(), &mut text);
        let header = RecordHeader {
            index: self.index,
            time_us: self.time_us,
            data_key: data.id,
            has_personal: !own.is_empty(),
            is_plain: false,
        };
        let head = encode_header(&header, text.len() + TAG_LEN);
        data.seal(log, &head, HUB_PART, &mut text)?;
        let mut bytes = Vec::with_capacity(head.len() + text.len() + personal_text.len() + TAG_LEN);
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&text);
        if let (Some(person), true) = (person, header.has_personal) {
            person.seal(log, &head, PERSONAL_PART, &mut personal_text)?;
            bytes.extend_from_slice(&personal_text);
        }
        debug_assert!(bytes.len() <= RECORD_BYTES_MAX);
        Ok(bytes)
    }

    /// The record's bytes in clear: for what an auditor without keys must read.
    #[must_use]
    pub fn in_clear(&self) -> Vec<u8> {
        let mut hub = self.fields.to_vec();
        fit_within(&mut hub, PLAIN_BYTES_MAX);
        let mut text = Vec::new();
        cbor::encode(hub.iter(), &mut text);
        let (index, time_us) = (self.index, self.time_us);
        let header = RecordHeader { index, time_us, data_key: [0; 8], has_personal: false, is_plain: true };
        [&encode_header(&header, text.len()), text.as_slice()].concat()
    }
}

/// Cuts the longest values until the fields fit their part. Fields come bounded, so this is for what nobody thought of.
fn fit(fields: &mut Vec<Field>) {
    fit_within(fields, PART_BYTES_MAX);
}

fn fit_within(fields: &mut Vec<Field>, most: usize) {
    let mut cap = most / 2;
    let mut cut = false;
    while length(fields) > most && cap > 0 {
        cut = true;
        for field in fields.iter_mut() {
            match &mut field.value {
                Value::Text(text) => text.truncate(text.floor_char_boundary(cap)),
                Value::Bytes(bytes) => bytes.truncate(cap),
                Value::List(list) => {
                    let mut left = cap;
                    list.retain(|text| {
                        let fits = text.len() < left;
                        left -= if fits { text.len() + 1 } else { 0 };
                        fits
                    });
                }
                Value::Number(_) | Value::Flag(_) => {}
            }
        }
        cap /= 2;
    }
    if cut {
        let mut left = most - 16;
        fields.retain(|field| {
            let size = size(field);
            let fits = size <= left;
            left -= if fits { size } else { 0 };
            fits
        });
        fields.push(Field::hub("log.cut", Value::Flag(true)));
    }
}

fn length(fields: &[Field]) -> usize {
    fields.iter().map(size).sum()
}

/// Never less than what the encoding takes.
fn size(field: &Field) -> usize {
    field.name.len()
        + 18
        + match &field.value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(list) => list.iter().map(|text| text.len() + 9).sum(),
            Value::Number(_) | Value::Flag(_) => 0,
        }
}

/// Where keys come from when records are opened.
pub trait KeySource {
    /// The data key of a segment.
    ///
    /// # Errors
    /// Where it is lost, or does not open.
    fn data_key(&self, id: &KeyId) -> Result<Arc<Seal>, LogError>;

    /// A person's key; none where it was erased.
    ///
    /// # Errors
    /// Where it is lost, or does not open.
    fn person_key(&self, id: &KeyId) -> Result<Option<Arc<Seal>>, LogError>;
}

/// A record that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What it told without keys.
    pub header: RecordHeader,
    /// What it says; the personal fields last, where they could be opened.
    pub fields: Vec<Field>,
    /// What became of the personal fields.
    pub personal: Personal,
}

/// What became of the personal fields of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Personal {
    /// It has none.
    None,
    /// They were opened.
    Opened,
    /// The person's key was erased: nobody can read them any more.
    Erased,
    /// Their key is lost, or does not open them.
    Lost(String),
}

/// Opens a record of the log of this id.
///
/// # Errors
/// Where the segment's key is lost or does not open it.
pub fn open(record: &Record<'_>, log: &[u8; 16], keys: &impl KeySource) -> Result<Opened, LogError> {
    let header = record.header;
    if header.is_plain {
        let fields = cbor::decode(record.hub, false)?;
        return Ok(Opened { header, fields, personal: Personal::None });
    }
    let text = keys.data_key(&header.data_key)?.open(log, record.head, HUB_PART, record.hub)?;
    let mut fields = cbor::decode(&text, false)?;
    let mut personal = Personal::None;
    if header.has_personal {
        personal = match open_personal(record, log, keys, &mut fields) {
            Ok(true) => Personal::Opened,
            Ok(false) => Personal::Erased,
            Err(error) => Personal::Lost(error.to_string()),
        };
    }
    Ok(Opened { header, fields, personal })
}

/// The fields of a record that is in clear; none where it is not.
pub(crate) fn plain_fields(record: &Record<'_>) -> Option<Vec<Field>> {
    if record.header.is_plain { cbor::decode(record.hub, false).ok() } else { None }
}

/// Adds the personal fields; false where the person's key was erased.
fn open_personal(
    record: &Record<'_>,
    log: &[u8; 16],
    keys: &impl KeySource,
    fields: &mut Vec<Field>,
) -> Result<bool, LogError> {
    let place = fields.iter().position(|field| field.name == PERSON_KEY);
    let id = match place.map(|place| fields.remove(place).value) {
        Some(Value::Bytes(bytes)) => KeyId::try_from(bytes).ok(),
        _ => None,
    };
    let id = id.ok_or_else(|| LogError::malformed("a record", "it does not name its person's key"))?;
    let Some(key) = keys.person_key(&id)? else { return Ok(false) };
    let text = key.open(log, record.head, PERSONAL_PART, record.personal)?;
    fields.extend(cbor::decode(&text, true)?);
    Ok(true)
}
