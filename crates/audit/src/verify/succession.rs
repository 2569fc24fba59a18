//! Which key may sign what: the first by its owner's word, each later one by a record that the one before signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::note::{Note, VerifierKey};
use crate::record::{Record, Value, plain_fields};

/// What the old key signs: this, and the new public key. Nobody can take it for a checkpoint, which begins with the origin.
pub(crate) const SUCCESSION: &str = "omni-audit/1 the next key is\n";
/// The field that names the new key.
pub(crate) const NEXT_KEY: &str = "log.next_key";
/// The field with the old key's signature.
pub(crate) const SIGNED_BY_LAST: &str = "log.signed_by_last";

/// The keys that are believed, each with the sizes of the log that it signs for.
#[derive(Debug)]
pub(super) struct Succession {
    keys: Vec<Reign>,
}

#[derive(Debug)]
struct Reign {
    key: VerifierKey,
    from: u64,
    until: u64,
}

/// The key that a plain record puts in force, and the old key's signature.
pub(crate) fn successor(record: &Record<'_>) -> Option<(VerifierKey, Vec<u8>)> {
    let fields = plain_fields(record)?;
    let text = |name: &str| {
        fields.iter().find(|field| field.name == name).and_then(|field| match &field.value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    };
    let key = text(NEXT_KEY)?.parse().ok()?;
    Some((key, STANDARD.decode(text(SIGNED_BY_LAST)?).ok()?))
}

impl Succession {
    pub(super) fn of(trusted: &[VerifierKey]) -> Self {
        let reign = |key: &VerifierKey| Reign { key: key.clone(), from: 0, until: u64::MAX };
        Self { keys: trusted.iter().map(reign).collect() }
    }

    /// Takes a record that may change the key; says what is wrong with it.
    pub(super) fn take(&mut self, record: &Record<'_>) -> Option<&'static str> {
        let Some((next, signature)) = successor(record) else {
            return Some("it is in clear, and neither a change of key nor a deletion");
        };
        self.succeed(&next, &signature, record.header.index)
    }

    /// Takes the change to `next` in record `index`; says what is wrong with it.
    pub(super) fn succeed(&mut self, next: &VerifierKey, signature: &[u8], index: u64) -> Option<&'static str> {
        let size = index.saturating_add(1);
        let statement = format!("{SUCCESSION}{next}");
        let in_force = |reign: &&mut Reign| reign.from < size && size <= reign.until;
        let signed = |reign: &&mut Reign| reign.key.verifies(statement.as_bytes(), signature);
        let Some(last) = self.keys.iter_mut().filter(in_force).find(signed) else {
            // Whoever trusts a later key alone cannot judge the changes before it.
            let later = self.keys.iter().any(|reign| reign.key == *next);
            return (!later).then_some("it changes the key, and is signed by none that was in force");
        };
        last.until = size;
        if !self.keys.iter().any(|reign| reign.key == *next) {
            self.keys.push(Reign { key: next.clone(), from: size, until: u64::MAX });
        }
        None
    }

    /// Whether a key that was in force at `size` signed the note; else why not.
    pub(super) fn judge(&self, note: &Note, size: u64) -> Result<(), String> {
        let signers: Vec<_> = self.keys.iter().filter(|reign| note.is_signed_by(&reign.key)).collect();
        if signers.iter().any(|reign| reign.from <= size && size <= reign.until) {
            return Ok(());
        }
        Err(match signers.first() {
            Some(reign) if size > reign.until => {
                format!("it is signed by a key that was replaced after {} records", reign.until)
            }
            Some(_) => "it is signed by a key that was not in force yet".to_owned(),
            None => "it is signed by none of the log's keys".to_owned(),
        })
    }
}
