//! Signed notes (C2SP signed-note): a text, an empty line, and signatures by name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key::{SigningKey, VerifierKey};
use crate::error::LogError;

/// A note is small: a checkpoint has three lines.
const NOTE_BYTES_MAX: usize = 64 * 1024;
const SIGNATURES_MAX: usize = 64;
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A signature under a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: [u8; 4],
    /// What it signed.
    pub bytes: Vec<u8>,
}

/// A text with signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is signed, with the line feed at its end.
    pub text: String,
    /// By whom.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// A note that `key` signs.
    #[must_use]
    pub fn sign(text: String, key: &SigningKey) -> Self {
        let bytes = key.sign(text.as_bytes());
        let signature = Signature { name: key.public().name().to_owned(), id: key.public().id(), bytes };
        Self { text, signatures: vec![signature] }
    }

    /// Whether `key` signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        self.signature_of(key).is_some()
    }

    /// The signature by `key`. One is looked at for each key, the first: a stranger who adds more has nobody check them.
    #[must_use]
    pub fn signature_of(&self, key: &VerifierKey) -> Option<&Signature> {
        let of_key = |signature: &&Signature| signature.name == key.name() && signature.id == key.id();
        let first = self.signatures.iter().find(of_key)?;
        key.verifies(self.text.as_bytes(), &first.bytes).then_some(first)
    }

    /// Reads one note.
    ///
    /// # Errors
    /// Where it is none, or something follows it.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        let mut notes = parse_notes(text)?;
        match (notes.pop(), notes.pop()) {
            (Some(note), None) => Ok(note),
            (None, _) => Err(wrong("it is empty")),
            _ => Err(wrong("there is more than one")),
        }
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let mut bytes = signature.id.to_vec();
            bytes.extend_from_slice(&signature.bytes);
            writeln!(f, "{SIGNATURE_PREFIX}{} {}", signature.name, STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

/// Reads notes that stand one after the other, with or without empty lines between: the form of a list of checkpoints.
///
/// # Errors
/// Where something between them is no note.
pub fn parse_notes(text: &str) -> Result<Vec<Note>, LogError> {
    let mut notes = Vec::new();
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(first) = lines.next() {
        if first == "\n" {
            continue;
        }
        let mut note = Note { text: first.to_owned(), signatures: Vec::new() };
        loop {
            match lines.next() {
                Some("\n") => break,
                Some(line) if note.text.len() + line.len() <= NOTE_BYTES_MAX => note.text.push_str(line),
                Some(_) => return Err(wrong("it is longer than 64 KiB")),
                None => return Err(wrong("no empty line ends its text")),
            }
        }
        if note.text.contains(|c: char| c.is_control() && c != '\n') {
            return Err(wrong("it has control characters"));
        }
        while let Some(line) = lines.next_if(|line| line.starts_with(SIGNATURE_PREFIX)) {
            if note.signatures.len() == SIGNATURES_MAX {
                return Err(wrong("it has more than 64 signatures"));
            }
            note.signatures.push(signature(line)?);
        }
        if note.signatures.is_empty() {
            return Err(wrong("it has no signature"));
        }
        notes.push(note);
    }
    Ok(notes)
}

fn signature(line: &str) -> Result<Signature, LogError> {
    let fields = line.strip_prefix(SIGNATURE_PREFIX).and_then(|rest| rest.strip_suffix('\n'));
    let Some((name, encoded)) = fields.and_then(|fields| fields.split_once(' ')) else {
        return Err(wrong("a signature is not a name, a space, base64 and a line feed"));
    };
    let bytes = STANDARD.decode(encoded).map_err(|_| wrong("a signature is not base64"))?;
    match bytes.split_first_chunk::<4>() {
        Some((id, rest)) if !name.is_empty() && !rest.is_empty() => {
            Ok(Signature { name: name.to_owned(), id: *id, bytes: rest.to_vec() })
        }
        _ => Err(wrong("a signature is too short")),
    }
}

fn wrong(what: &str) -> LogError {
    LogError::malformed("a signed note", what)
}
