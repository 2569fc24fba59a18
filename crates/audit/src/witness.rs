//! A witness of others' logs (C2SP tlog-witness): it cosigns what goes on from what it saw last, keeps it, and refuses all else.

mod cosigner;
mod request;

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};

use crate::archive::{Archive, whole_notes};
use crate::error::LogError;
use crate::keys::{replace, secret_folder};
use crate::note::{Checkpoint, Note, Signature, VerifierKey, append_note, parse_notes};
use crate::tree::{Hash, consistency_proof, empty_root, verify_consistency};
use cosigner::Cosigner;
use request::Request;

pub use request::REQUEST_BYTES_MAX;

/// Logs that one witness watches at most.
pub const WITNESSED_MAX: usize = 1024;
/// Public keys that one of them has at most, from first to last: so many signatures are checked for a request.
pub const KEYS_OF_A_LOG_MAX: usize = 16;
/// For another process that keeps what it saw in the same folder.
const TURN_TRIES: u32 = 250;
const TURN_PAUSE: Duration = Duration::from_millis(20);
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
    /// Two processes may have one folder: each takes its turn.
    lock: File,
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
        for key in &logs {
            if logs.iter().filter(|other| other.name() == key.name()).count() > KEYS_OF_A_LOG_MAX {
                let what = format!("{} has more than {KEYS_OF_A_LOG_MAX} keys", key.name());
                return Err(LogError::malformed("a list of logs to watch", what));
            }
        }
        secret_folder(folder)?;
        let path = folder.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(|error| LogError::io("open", &path, error))?;
        let cosigner = {
            let _turn = Turn::of(&lock, folder)?;
            Cosigner::open(folder)?
        };
        Ok(Self { folder: folder.to_owned(), cosigner, logs, lock, kept: Mutex::default() })
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
        let own: Vec<Signature> = of_log.iter().filter_map(|key| note.signature_of(key)).cloned().collect();
        if own.is_empty() {
            return Ok(Witnessed::Unsigned);
        }
        if old > checkpoint.size {
            return Ok(Witnessed::Malformed("the old size is beyond the new one".to_owned()));
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let _turn = Turn::of(&self.lock, &self.folder)?;
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
        if old == checkpoint.size && old > 0 {
            // What it saw already it keeps already: whoever shows it again and again has nothing written.
            return Ok(Witnessed::Cosigned(line));
        }
        let own = Note { text: note.text.clone(), signatures: own };
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
        let seen = |note: Note| Checkpoint::of(&note).map(|checkpoint| (checkpoint.size, checkpoint.root));
        if let Some(text) = read(&self.path(origin, "latest"))? {
            return Note::parse(&text).and_then(seen).map(Some);
        }
        // Where it was lost, what was kept for good still counts: nobody begins anew by taking one file away.
        let Some(text) = read(&self.path(origin, "notes"))? else { return Ok(None) };
        let mut latest = None;
        for note in parse_notes(whole_notes(&text))? {
            let (size, root) = seen(note)?;
            if latest.is_none_or(|(most, _)| size >= most) {
                latest = Some((size, root));
            }
        }
        Ok(latest)
    }

    fn keep(&self, origin: &str, text: &str) -> Result<(), LogError> {
        let path = self.path(origin, "notes");
        append_note(&path, text).map_err(|error| LogError::io("append to", &path, error))
    }

    /// The file of a log: by the hash of its name, which is a stranger's to choose.
    fn path(&self, origin: &str, kind: &str) -> PathBuf {
        let hash = digest(&SHA256, origin.as_bytes());
        let name = omni_types::hex(&hash.as_ref()[..16]);
        self.folder.join(format!("{name}.{kind}"))
    }
}

/// A process's turn, for as long as it lives.
struct Turn<'a>(&'a File);

impl<'a> Turn<'a> {
    fn of(lock: &'a File, folder: &Path) -> Result<Self, LogError> {
        for _ in 0..TURN_TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Self(lock)),
                Err(TryLockError::WouldBlock) => thread::park_timeout(TURN_PAUSE),
                Err(TryLockError::Error(error)) => return Err(LogError::io("lock", folder, error)),
            }
        }
        Err(LogError::io("lock", folder, io::Error::other("another process has it for too long")))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // The kernel lets go of it at the latest when the process ends.
        let _let_go = self.0.unlock();
    }
}

fn read(path: &Path) -> Result<Option<String>, LogError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("read", path, error)),
    }
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
