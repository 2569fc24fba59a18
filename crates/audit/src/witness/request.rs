//! What a witness is asked: the size that it saw last, the proof from there, the checkpoint (C2SP tlog-witness, `add-checkpoint`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::LogError;
use crate::note::lines::{hashes, number};
use crate::note::{Checkpoint, Note};
use crate::tree::Hash;

/// Longest request that is read.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Hashes of a proof.
const HASHES_MAX: usize = 63;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) old: u64,
    pub(super) proof: Vec<Hash>,
    pub(super) note: Note,
    pub(super) checkpoint: Checkpoint,
}

impl Request {
    pub(super) fn parse(body: &str) -> Result<Self, LogError> {
        let wrong = |what: &str| LogError::malformed("a request to a witness (C2SP tlog-witness)", what);
        if body.len() > REQUEST_BYTES_MAX {
            return Err(wrong("it is longer than 64 KiB"));
        }
        let (head, note) =
            body.split_once("\n\n").ok_or_else(|| wrong("no empty line stands before its checkpoint"))?;
        let mut lines = head.split('\n');
        let old = number(lines.next(), "old").ok_or_else(|| wrong("its first line is not `old` and a size"))?;
        let proof = hashes(lines, HASHES_MAX).map_err(|why| wrong(&why))?;
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::of(&note)?;
        Ok(Self { old, proof, note, checkpoint })
    }
}

/// The text of a request.
pub(super) fn text(old: u64, proof: &[Hash], note: &str) -> String {
    let hashes: String = proof.iter().map(|hash| format!("{}\n", STANDARD.encode(hash))).collect();
    format!("old {old}\n{hashes}\n{note}")
}
