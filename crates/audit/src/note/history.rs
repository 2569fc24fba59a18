//! A file that notes are appended to: what a torn write left at its end is cut off first, so that the notes after it can be read.

use std::fs::OpenOptions;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What signature lines begin with.
const SIGNATURE: &[u8] = "\u{2014} ".as_bytes();
/// Bytes at the end of the file in which the last whole note is looked for: more than two notes have.
const TAIL_BYTES: u64 = 256 * 1024;

/// Appends a note, durably; an empty line parts it from the one before.
///
/// # Errors
/// Where the file cannot be written, or what a torn write left at its end cannot be cut off.
pub fn append_note(path: &Path, note: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o644).open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    let mut tail = vec![0; usize::try_from(length - from).unwrap_or(0)];
    file.read_exact_at(&mut tail, from)?;
    let whole = whole_end(&tail);
    let rest = &tail[whole..];
    if let Some(begin) = rest.iter().position(|byte| *byte != b'\n') {
        // What a torn write left begins as this note does. Anything else is somebody else's.
        let origin = note.split_inclusive('\n').next().unwrap_or_default().as_bytes();
        let same = rest[begin..].iter().zip(origin).all(|(one, other)| one == other);
        if !same || (whole == 0 && from > 0) {
            return Err(io::Error::other("what stands at its end is no note of this log"));
        }
        file.set_len(from + whole as u64)?;
    }
    let parted = if from + whole as u64 > 0 { "\n" } else { "" };
    file.write_all(format!("{parted}{}\n", note.trim_end_matches('\n')).as_bytes())?;
    file.sync_all()
}

/// Where the last signature ends that is whole; 0 where there is none.
pub(crate) fn whole_end(text: &[u8]) -> usize {
    let (mut end, mut at) = (0, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line.starts_with(SIGNATURE) && line.ends_with(b"\n") {
            end = at;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::append_note;
    use crate::note::{Note, SigningKey, parse_notes};

    #[test]
    fn shb_4_a_write_that_was_torn_anywhere_costs_its_own_note_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.notes");
        let key = SigningKey::from_seed("witness.example", [7; 32]).unwrap();
        let note = |n: u32| Note::sign(format!("origin\n{n}\n"), &key).to_string();
        append_note(&path, &note(1)).unwrap();
        append_note(&path, &note(2)).unwrap();
        let before = fs::read(&path).unwrap();
        append_note(&path, &note(3)).unwrap();
        let after = fs::read(&path).unwrap();
        for torn in before.len()..after.len() {
            fs::write(&path, &after[..torn]).unwrap();
            append_note(&path, &note(4)).unwrap();
            let texts: Vec<String> =
                parse_notes(&fs::read_to_string(&path).unwrap()).unwrap().into_iter().map(|note| note.text).collect();
            assert_eq!(texts, ["origin\n1\n", "origin\n2\n", "origin\n4\n"], "torn at {torn}");
        }
        // Also where nothing whole stands there.
        for torn in 0..60 {
            fs::write(&path, &after[..torn]).unwrap();
            append_note(&path, &note(4)).unwrap();
            assert_eq!(parse_notes(&fs::read_to_string(&path).unwrap()).unwrap().len(), 1, "torn at {torn}");
        }
    }

    #[test]
    fn shb_4_a_file_that_holds_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.txt");
        for other in ["x\n".repeat(200_000), "Dear Ann,\n".to_owned(), "a\nb\n".repeat(200_000)] {
            fs::write(&path, &other).unwrap();
            assert!(append_note(&path, "a\n\n\u{2014} b c\n").is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), other);
        }
    }
}
