//! Proofs that a record is in the log, in the form of C2SP tlog-proof: for somebody who has neither the hub nor its log.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::archive::Archive;
use crate::error::LogError;
use crate::note::lines::{hashes, number};
use crate::note::{Checkpoint, Note, VerifierKey};
use crate::record::{RECORD_BYTES_MAX, Record};
use crate::tree::{Hash, inclusion_proof, leaf_hash, verify_inclusion};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Hashes of a proof: one for each level of a tree whose size has 64 bits.
const HASHES_MAX: usize = 64;
/// Longest file: a record in base64, the hashes, a note.
const PROOF_BYTES_MAX: usize = RECORD_BYTES_MAX * 2 + 128 * 1024;

/// A proof that a record is in the log, with the record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordProof {
    index: u64,
    record: Vec<u8>,
    path: Vec<Hash>,
    note: Note,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Of which log.
    pub origin: String,
    /// The record's index.
    pub index: u64,
    /// When it was written (microseconds since 1970, UTC), as the record says.
    pub time_us: i64,
    /// Records of the log when it was signed.
    pub size: u64,
    /// The root of its tree then, in base64.
    pub root: String,
    /// The key it was signed with, as `NAME+HASH`.
    pub signed_by: String,
    /// Bytes of the record.
    pub record_bytes: usize,
    /// SHA-256 of the record.
    pub record_sha256: String,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// Nobody who is trusted signed it.
    #[error("its checkpoint of the log {0} is signed by none of the keys that are trusted")]
    NotSigned(String),
    /// The hashes lead elsewhere.
    #[error("the record is not in the tree that was signed: the record, its number or the proof was changed")]
    NotInTree,
    /// What it proves is no record, or one of another number.
    #[error("what is proven is not the record that it says: {0}")]
    NotTheRecord(String),
}

impl RecordProof {
    /// The proof that record `index` is in the log that its latest checkpoint signs.
    ///
    /// # Errors
    /// Where the record is not there, not yet under a checkpoint, or the log does not agree with itself.
    pub fn of(archive: &Archive, index: u64) -> Result<Self, LogError> {
        let record = archive.record(index)?;
        let (checkpoint, note) = archive.checkpoint()?;
        if index >= checkpoint.size {
            return Err(LogError::NotSigned { index, size: checkpoint.size });
        }
        let path = inclusion_proof(&archive.tiles(), index, checkpoint.size)?;
        if !verify_inclusion(&leaf_hash(&record), index, checkpoint.size, &path, &checkpoint.root) {
            let what = format!("record {index} is not what was signed");
            return Err(LogError::Disagrees { path: archive.directory().to_owned(), what });
        }
        Ok(Self { index, record, path, note })
    }

    /// Checks it by keys that are trusted.
    ///
    /// # Errors
    /// Where it proves nothing.
    pub fn check(&self, keys: &[VerifierKey]) -> Result<Proven, ProofFault> {
        let checkpoint = Checkpoint::of(&self.note).map_err(|_| ProofFault::NotInTree)?;
        let signer = keys.iter().find(|key| key.name() == checkpoint.origin && self.note.is_signed_by(key));
        let signer = signer.ok_or_else(|| ProofFault::NotSigned(checkpoint.origin.clone()))?;
        let leaf = leaf_hash(&self.record);
        if !verify_inclusion(&leaf, self.index, checkpoint.size, &self.path, &checkpoint.root) {
            return Err(ProofFault::NotInTree);
        }
        let record = Record::parse(&self.record).map_err(|error| ProofFault::NotTheRecord(error.to_string()))?;
        if record.header.index != self.index {
            return Err(ProofFault::NotTheRecord(format!(
                "it says of itself that it is record {}",
                record.header.index
            )));
        }
        Ok(Proven {
            origin: checkpoint.origin,
            index: self.index,
            time_us: i64::try_from(record.header.time_us).unwrap_or(i64::MAX),
            size: checkpoint.size,
            root: STANDARD.encode(checkpoint.root),
            signed_by: format!("{}+{:08x}", signer.name(), u32::from_be_bytes(signer.id())),
            record_bytes: self.record.len(),
            record_sha256: omni_types::hex(digest(&SHA256, &self.record).as_ref()),
        })
    }
}

impl fmt::Display for RecordProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nextra {}\nindex {}", STANDARD.encode(&self.record), self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for RecordProof {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let wrong = |what: &str| LogError::malformed("a proof (C2SP tlog-proof)", what);
        if text.len() > PROOF_BYTES_MAX {
            return Err(wrong("it is longer than any"));
        }
        let (head, note) =
            text.split_once("\n\n").ok_or_else(|| wrong("no empty line stands before its checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong("its first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = lines.next().and_then(|line| line.strip_prefix("extra "));
        let record = extra.ok_or_else(|| wrong("its second line is not `extra` and the record"))?;
        let record = STANDARD.decode(record).map_err(|_| wrong("its record is not base64"))?;
        let index = number(lines.next(), "index").ok_or_else(|| wrong("its third line is not `index` and a number"))?;
        let path = hashes(lines, HASHES_MAX).map_err(|why| wrong(&why))?;
        let note = Note::parse(note)?;
        Checkpoint::of(&note)?;
        Ok(Self { index, record, path, note })
    }
}
