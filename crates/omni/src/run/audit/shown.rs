//! Another hub as a witness (C2SP tlog-witness): each checkpoint is shown to it with the proof from the one that it saw last.

use std::path::{Path, PathBuf};

use omni_audit::{Archive, witness_request};

use crate::run::audit::post::Post;

/// `200`, and the witness's word for another size than it was told.
const OK: u16 = 200;
const CONFLICT: u16 = 409;

/// A witness that compares.
pub(super) struct Shown {
    post: Post,
    directory: PathBuf,
    /// The size that it saw last, as far as this hub knows.
    seen: u64,
}

impl Shown {
    pub(super) fn to(url: &str, directory: &Path) -> Result<Self, String> {
        let post = Post::to(&format!("{}/add-checkpoint", url.trim_end_matches('/')), None)?;
        Ok(Self { post, directory: directory.to_owned(), seen: 0 })
    }

    /// Shows it a checkpoint.
    pub(super) async fn take(&mut self, note: &str) -> Result<(), String> {
        let (status, told, size) = self.ask(note).await?;
        let seen = match (status, told.trim().parse::<u64>()) {
            (OK, _) => {
                self.seen = size;
                return Ok(());
            }
            (CONFLICT, Ok(seen)) => seen,
            _ => return Err(format!("it answers {status}: {}", told.trim())),
        };
        if seen == self.seen && seen > 0 {
            return Err(format!("it saw ANOTHER history of {seen} records, signed with this log's key"));
        }
        if seen > size {
            return Err(format!("it saw {seen} records, and this log has {size}: it was cut, or written anew"));
        }
        self.seen = seen;
        match self.ask(note).await? {
            (OK, _, size) => {
                self.seen = size;
                Ok(())
            }
            (status, told, _) => Err(format!(
                "what it saw, {seen} records, is not the beginning of this log ({status}: {})",
                told.trim()
            )),
        }
    }

    async fn ask(&self, note: &str) -> Result<(u16, String, u64), String> {
        let (directory, note, seen) = (self.directory.clone(), note.to_owned(), self.seen);
        let made = tokio::task::spawn_blocking(move || witness_request(&Archive::open(&directory)?, seen, &note));
        let (size, body) = made.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let (status, told) = self.post.ask("text/plain; charset=utf-8", body).await?;
        Ok((status, told, size))
    }
}
