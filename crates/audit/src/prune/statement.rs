//! What the log says of records that were deleted after their time: a record in clear, under the tree and a checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::archive::Archive;
use crate::error::LogError;
use crate::note::VerifierKey;
use crate::record::{Field, PlainRecord, RECORD_BYTES_MAX, Record, Value, plain_fields};
use crate::tree::{Frontier, inclusion_proof, leaf_hash, verify_inclusion};

const ACTION: &str = "log/prune";
const FIRST_KEPT: &str = "log.first_kept";
const RETAINED_UNTIL: &str = "log.retained_until";
const KEYS: &str = "log.keys";
/// Longest statement that is read: a record.
const STATEMENT_BYTES_MAX: u64 = RECORD_BYTES_MAX as u64;

/// A change of the signing key that stands in a deleted record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inherited {
    /// The record's index.
    pub(crate) index: u64,
    /// The key before's signature over it.
    pub(crate) signature: Vec<u8>,
    /// The key.
    pub(crate) key: VerifierKey,
}

/// What such a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Its index.
    pub(crate) index: u64,
    /// When it was written.
    pub(crate) time_us: u64,
    /// The first record that was not deleted.
    pub(crate) first_kept: u64,
    /// Until when the deleted records were to be kept, the last of them.
    pub(crate) retained_until_us: u64,
    /// Changes of key in the records that were deleted, then and before.
    pub(crate) keys: Vec<Inherited>,
}

impl Pruned {
    /// The fields of its record, which is in clear: who verifies has no key but the public one.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let key = |one: &Inherited| format!("{} {} {}", one.index, STANDARD.encode(&one.signature), one.key);
        vec![
            Field::hub("kind", Value::from("log")),
            Field::hub("action", Value::from(ACTION)),
            Field::hub("outcome", Value::from("success")),
            Field::hub(FIRST_KEPT, Value::Number(self.first_kept)),
            Field::hub(RETAINED_UNTIL, Value::Number(self.retained_until_us)),
            Field::hub(KEYS, Value::List(self.keys.iter().map(key).collect())),
        ]
    }

    /// Its record's bytes.
    ///
    /// # Errors
    /// Where it does not fit a record: a key that is left out of it could be followed by nobody.
    pub(crate) fn record(&self) -> Result<Vec<u8>, LogError> {
        let fields = self.fields();
        let record = PlainRecord { index: self.index, time_us: self.time_us, fields: &fields }.in_clear();
        if Record::parse(&record).ok().and_then(|record| Self::of(&record)).as_ref() == Some(self) {
            return Ok(record);
        }
        Err(LogError::Key(format!(
            "nothing is deleted: the {} changes of the signing key up to there do not fit the record that would say so",
            self.keys.len()
        )))
    }

    /// Reads a record; none where it is about something else.
    pub(crate) fn of(record: &Record<'_>) -> Option<Self> {
        let fields = plain_fields(record)?;
        let value = |name: &str| fields.iter().find(|field| field.name == name).map(|field| &field.value);
        let number = |name: &str| match value(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let Some(Value::List(keys)) = value(KEYS) else { return None };
        if value("action") != Some(&Value::from(ACTION)) {
            return None;
        }
        Some(Self {
            index: record.header.index,
            time_us: record.header.time_us,
            first_kept: number(FIRST_KEPT)?,
            retained_until_us: number(RETAINED_UNTIL)?,
            keys: keys.iter().map(|text| inherited(text)).collect::<Option<_>>()?,
        })
    }

    /// Whether what it says can be: nothing before its time, nothing after itself.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.retained_until_us > self.time_us {
            return Some("it deletes records before the time that they were to be kept until");
        }
        (self.first_kept > self.index).then_some("it deletes records that came after it")
    }
}

fn inherited(text: &str) -> Option<Inherited> {
    let mut parts = text.splitn(3, ' ');
    let (index, signature, key) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Inherited { index: index.parse().ok()?, signature: STANDARD.decode(signature).ok()?, key: key.parse().ok()? })
}

/// The file that names the record of the latest deletion, by its bytes: a hint, which the record itself has to bear out.
pub(crate) fn pruned_path(directory: &Path) -> PathBuf {
    directory.join("pruned")
}

/// What that file says, where there is one that says something.
pub(crate) fn kept_statement(directory: &Path) -> Option<Pruned> {
    Pruned::of(&Record::parse(&kept_bytes(directory)?).ok()?)
}

fn kept_bytes(directory: &Path) -> Option<Vec<u8>> {
    let path = pruned_path(directory);
    if fs::metadata(&path).ok()?.len() > STATEMENT_BYTES_MAX {
        return None;
    }
    fs::read(&path).ok()
}

/// The deletion before, for a log that begins with record `first`: whose record is in the tree `now`, and which explains why nothing
/// stands before that one. None for a log that is whole.
///
/// # Errors
/// Where something is gone that no record in the tree accounts for: whoever took it away would have it covered by the next deletion.
pub(crate) fn inherited_from(archive: &Archive, first: u64, now: &Frontier) -> Result<Option<Pruned>, LogError> {
    if first == 0 {
        return Ok(None);
    }
    let wrong = |what: &str| {
        let what = format!("its records before {first} are gone, and {what}");
        LogError::Disagrees { path: archive.directory().to_owned(), what }
    };
    let bytes = kept_bytes(archive.directory()).ok_or_else(|| wrong("no record says that they were deleted"))?;
    let pruned = Record::parse(&bytes).ok().and_then(|record| Pruned::of(&record));
    let pruned = pruned.ok_or_else(|| wrong("no record says that they were deleted"))?;
    let (index, size) = (pruned.index, now.size());
    let in_tree = index < size
        && inclusion_proof(&archive.tiles(), index, size)
            .is_ok_and(|proof| verify_inclusion(&leaf_hash(&bytes), index, size, &proof, &now.root()));
    if !in_tree {
        return Err(wrong("the record that says so is not in the tree"));
    }
    if let Some(fault) = pruned.fault() {
        return Err(wrong(fault));
    }
    if first > pruned.first_kept {
        return Err(wrong(&format!("the deletion of record {index} went up to {} only", pruned.first_kept)));
    }
    Ok(Some(pruned))
}
