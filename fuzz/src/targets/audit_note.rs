//! Signed notes, checkpoints, public keys: what is read is written as it was read, and what nobody signed is signed by nobody.

use std::sync::LazyLock;

use omni_audit::{Checkpoint, Note, SigningKey, VerifierKey, parse_notes};

use crate::pieces::Pieces;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| match SigningKey::generate("log.example/fuzz") {
    Ok(key) => key,
    Err(error) => panic!("{error}"),
});

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    if let Ok(key) = pieces.text().parse::<VerifierKey>() {
        assert!(key.to_string().parse::<VerifierKey>().is_ok_and(|again| again == key), "{key} is another one");
    }
    let text = pieces.rest_text();
    let Ok(notes) = parse_notes(text) else { return };
    let written: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert!(parse_notes(&written.join("\n")).is_ok_and(|again| again == notes), "a list of notes is another one");
    for note in &notes {
        assert!(Note::parse(&note.to_string()).is_ok_and(|again| again == *note), "it is not written as it was read");
        assert!(!note.is_signed_by(KEY.public()), "nobody signed it");
        let Ok(checkpoint) = Checkpoint::of(note) else { continue };
        assert!(note.text.starts_with(&checkpoint.text()), "another checkpoint than was signed: {checkpoint:?}");
        let signed = Note::sign(checkpoint.text(), &KEY);
        assert!(Note::parse(&signed.to_string()).is_ok_and(|again| again.is_signed_by(KEY.public())));
    }
}
