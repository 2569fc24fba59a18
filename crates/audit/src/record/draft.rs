//! A record that is encoded already, and is sealed once its number and its keys are known.

use super::cbor;
use super::layout::{HEADER_LEN, RecordHeader, encode_header};
use super::seal::{HUB_PART, PART_BYTES_MAX, PERSON_KEY, PERSONAL_PART, Seal, TAG_LEN, WITHHELD};
use crate::class::Class;
use crate::error::LogError;
use crate::field::FieldSpec;
use crate::told::Told;

/// What the head of the first part's array and the name of the person's key take at most.
const HEADS_LEN_MAX: usize = 9 + 2 + PERSON_KEY.len() + 1 + 8;

/// Fields as they are sealed, without the heads of their arrays. Every call makes one, so it is one piece of memory.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    bytes: Box<[u8]>,
    hub_len: usize,
    hub_fields: u64,
    personal_fields: u64,
}

/// Room that drafts are made in, one after the other.
#[derive(Debug, Default)]
pub(crate) struct DraftRoom {
    hub: Vec<u8>,
    personal: Vec<u8>,
    hub_fields: u64,
    personal_fields: u64,
}

impl DraftRoom {
    /// Begins a draft.
    pub(crate) fn clear(&mut self) {
        self.hub.clear();
        self.personal.clear();
        (self.hub_fields, self.personal_fields) = (0, 0);
    }

    /// Adds a field; they come in the order of their numbers.
    pub(crate) fn add(&mut self, spec: &FieldSpec, value: Told<'_>) {
        let (fields, bytes) = if spec.class == Class::Personal {
            (&mut self.personal_fields, &mut self.personal)
        } else {
            (&mut self.hub_fields, &mut self.hub)
        };
        *fields += 1;
        cbor::encode_told(spec.field, value, bytes);
    }

    /// The draft; none where it is too long to be sealed as it stands.
    pub(crate) fn draft(&self) -> Option<Draft> {
        if self.hub.len().max(self.personal.len()) > PART_BYTES_MAX - HEADS_LEN_MAX {
            return None;
        }
        let (hub_len, hub_fields, personal_fields) = (self.hub.len(), self.hub_fields, self.personal_fields);
        Some(Draft { bytes: [&self.hub[..], &self.personal].concat().into(), hub_len, hub_fields, personal_fields })
    }
}

impl Draft {
    /// Whether some of it is a person's.
    pub(crate) const fn has_personal(&self) -> bool {
        self.personal_fields > 0
    }

    /// Appends the record's bytes to `out`. What is personal and comes without `person` is withheld, and the field
    /// `log.withheld` says so: it is never stored under a key that nobody can erase.
    ///
    /// # Errors
    /// Where the cipher fails.
    pub(crate) fn seal(
        &self,
        (index, time_us): (u64, u64),
        log: &[u8; 16],
        (data, person): (&Seal, Option<&Seal>),
        out: &mut Vec<u8>,
    ) -> Result<(), LogError> {
        let (hub, personal) = self.bytes.split_at(self.hub_len);
        let person = person.filter(|_| self.has_personal());
        let withheld = self.has_personal() && person.is_none();
        let begin = out.len();
        out.resize(begin + HEADER_LEN, 0);
        cbor::begin(self.hub_fields + u64::from(person.is_some()) + u64::from(withheld), out);
        if let Some(person) = person {
            cbor::encode_named(PERSON_KEY, &person.id(), out);
        }
        out.extend_from_slice(hub);
        if withheld {
            cbor::encode_true(WITHHELD, out);
        }
        let hub_end = out.len();
        let header =
            RecordHeader { index, time_us, data_key: data.id(), has_personal: person.is_some(), is_plain: false };
        let head = encode_header(&header, hub_end - begin - HEADER_LEN + TAG_LEN);
        out[begin..begin + HEADER_LEN].copy_from_slice(&head);
        data.seal_end((log, &head, HUB_PART), begin + HEADER_LEN, out)?;
        if let Some(person) = person {
            let begin = out.len();
            cbor::begin(self.personal_fields, out);
            out.extend_from_slice(personal);
            person.seal_end((log, &head, PERSONAL_PART), begin, out)?;
        }
        Ok(())
    }
}
