//! A checkpoint (C2SP tlog-checkpoint): which log, how many records, which root.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::signed::Note;
use crate::error::LogError;
use crate::tree::Hash;

/// What a log says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many records.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads the text of a note. Further lines (extensions) are left to whoever wrote them.
    ///
    /// # Errors
    /// Where it is no checkpoint.
    pub fn of(note: &Note) -> Result<Self, LogError> {
        let wrong = |what: &str| LogError::malformed("a checkpoint", what);
        let mut lines = note.text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(wrong("it has fewer than three lines"));
        };
        let decimal = size.bytes().all(|b| b.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| decimal).ok_or_else(|| wrong("its second line is no size"))?;
        let root = STANDARD.decode(root).ok().and_then(|bytes| Hash::try_from(bytes).ok());
        let root = root.ok_or_else(|| wrong("its third line is no SHA-256 in base64"))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}
