//! A witness of others' logs (C2SP tlog-witness): it cosigns what goes on from what it saw last, keeps it, and refuses all else.

mod cosigner;
mod request;

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};

use crate::archive::Archive;
use crate::error::LogError;
use crate::keys::{replace, secret_folder};
use crate::note::{Checkpoint, Note, Signature, VerifierKey};
use crate::tree::{Hash, consistency_proof, empty_root, verify_consistency};
use cosigner::Cosigner;
use request::Request;

pub use request::REQUEST_BYTES_MAX;

/// Logs that one witness watches at most.
pub const WITNESSED_MAX: usize = 1024;
/// How often a checkpoint goes into what is kept for good; the latest always stands beside it.
const KEPT_EVERY: Duration = Duration::from_secs(600);

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witnessed {
    /// It saw and kept it: its signature, as a line of a signed note.
    Cosigned(String),
    /// It saw another size last, this one; or, where that is the same, another tree.
    Conflict(u64),
    /// The request is none.
    Malformed(String),
    /// It is signed by no key of that log.
    Unsigned,
    /// It watches no log of that name.
    Unknown,
    /// The proof does not lead from what it saw to this.
    Inconsistent,
}

/// A witness.
#[derive(Debug)]
pub struct Witness {
    folder: PathBuf,
    cosigner: Cosigner,
    logs: Vec<VerifierKey>,
    /// When a checkpoint of a log went into what is kept for good. Held while one is taken, so that each follows the other.
    kept: Mutex<HashMap<String, SystemTime>>,
}

impl Witness {
    /// A witness of the logs with these keys, which keeps what it saw in this folder.
    ///
    /// # Errors
    /// Where the folder or its key cannot be made or read, or there are too many logs.
    pub fn open(folder: &Path, logs: Vec<VerifierKey>) -> Result<Self, LogError> {
        if logs.len() > WITNESSED_MAX {
            return Err(LogError::malformed("a list of logs to watch", format!("it has more than {WITNESSED_MAX}")));
        }
        secret_folder(folder)?;
        let cosigner = Cosigner::open(folder)?;
        Ok(Self { folder: folder.to_owned(), cosigner, logs, kept: Mutex::default() })
    }

    /// Its public key, as signed notes name it (a cosigner's, of kind 4).
    #[must_use]
    pub fn public(&self) -> String {
        self.cosigner.public()
    }

    /// Takes a checkpoint (`add-checkpoint`). It blocks until what it answers is durable.
    ///
    /// # Errors
    /// Where what it saw cannot be read or kept. Nothing is cosigned then.
    pub fn add_checkpoint(&self, body: &str) -> Result<Witnessed, LogError> {
        let request = match Request::parse(body) {
            Ok(request) => request,
            Err(error) => return Ok(Witnessed::Malformed(error.to_string())),
        };
        let Request { old, proof, note, checkpoint } = request;
        let of_log: Vec<_> = self.logs.iter().filter(|key| key.name() == checkpoint.origin).collect();
        if of_log.is_empty() {
            return Ok(Witnessed::Unknown);
        }
        if !of_log.iter().any(|key| note.is_signed_by(key)) {
            return Ok(Witnessed::Unsigned);
        }
        if old > checkpoint.size {
            return Ok(Witnessed::Malformed("the old size is beyond the new one".to_owned()));
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, root) = self.latest(&checkpoint.origin)?.unwrap_or((0, empty_root()));
        if seen != old || (old == checkpoint.size && root != checkpoint.root) {
            return Ok(Witnessed::Conflict(seen));
        }
        if !verify_consistency(old, checkpoint.size, &proof, &root, &checkpoint.root) {
            return Ok(Witnessed::Inconsistent);
        }
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let line = self.cosigner.cosign(&note.text, seconds);
        let own = Note { text: note.text.clone(), signatures: signed_by(&note, &of_log) };
        let text = format!("{own}{line}");
        replace(&self.path(&checkpoint.origin, "latest"), text.as_bytes(), 0o644)?;
        let since = kept.get(&checkpoint.origin).and_then(|last| now.duration_since(*last).ok());
        if since.is_none_or(|since| since >= KEPT_EVERY) {
            self.keep(&checkpoint.origin, &text)?;
            kept.insert(checkpoint.origin, now);
        }
        Ok(Witnessed::Cosigned(line))
    }

    /// The size and root that were seen last of this log.
    fn latest(&self, origin: &str) -> Result<Option<(u64, Hash)>, LogError> {
        let path = self.path(origin, "latest");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::io("read", &path, error)),
        };
        let checkpoint = Checkpoint::of(&Note::parse(&text)?)?;
        Ok(Some((checkpoint.size, checkpoint.root)))
    }

    fn keep(&self, origin: &str, text: &str) -> Result<(), LogError> {
        let path = self.path(origin, "notes");
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o644).open(&path)?;
            file.write_all(format!("{text}\n").as_bytes())?;
            file.sync_all()
        };
        append().map_err(|error| LogError::io("append to", &path, error))
    }

    /// The file of a log: by the hash of its name, which is a stranger's to choose.
    fn path(&self, origin: &str, kind: &str) -> PathBuf {
        let hash = digest(&SHA256, origin.as_bytes());
        let name = omni_types::hex(&hash.as_ref()[..16]);
        self.folder.join(format!("{name}.{kind}"))
    }
}

/// The signatures that are the log's own: what else stands there is not kept on its word.
fn signed_by(note: &Note, keys: &[&VerifierKey]) -> Vec<Signature> {
    let own = |signature: &&Signature| {
        keys.iter().any(|key| signature.name == key.name() && signature.id == key.id() && note.is_signed_by(key))
    };
    note.signatures.iter().filter(own).cloned().collect()
}

/// The request by which a log whose witness saw `old` records last shows it this note.
///
/// # Errors
/// Where the note is no checkpoint, or the log's tiles do not reach so far.
pub fn witness_request(archive: &Archive, old: u64, note: &str) -> Result<(u64, String), LogError> {
    let size = Checkpoint::of(&Note::parse(note)?)?.size;
    let proof = consistency_proof(&archive.tiles(), old, size)?;
    Ok((size, request::text(old, &proof, note)))
}

#[cfg(test)]
mod tests;
