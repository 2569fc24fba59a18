//! Signatures beside files (minisign: `dev.md.minisig`), checked where the operator wants them.

use minisign_verify::{PublicKey, Signature};

/// Bytes of a signature's file.
pub(super) const SIGNATURE_BYTES_MAX: usize = 4 * 1024;
/// What the name of a signature's file ends with.
pub(super) const ENDING: &str = ".minisig";

/// Why `key` is no public key, where it is none.
#[must_use]
pub fn key_fault(key: &str) -> Option<String> {
    PublicKey::from_base64(key).err().map(|error| format!("`{key}` is no public key of minisign: {error}"))
}

/// Whether one of `keys` signed `text`, the content of the file called `name`.
///
/// # Errors
/// Why none did.
pub(super) fn check(keys: &[String], name: &str, text: &str, signature: Option<&str>) -> Result<(), String> {
    let Some(signature) = signature else {
        return Err(format!("`{name}` is not signed: `{name}{ENDING}` is missing, and `signed_by` wants it"));
    };
    let signature = Signature::decode(signature)
        .map_err(|error| format!("`{name}{ENDING}` is no signature of minisign: {error}"))?;
    let signed = keys.iter().filter_map(|key| PublicKey::from_base64(key).ok());
    if !signed.into_iter().any(|key| key.verify(text.as_bytes(), &signature, false).is_ok()) {
        return Err(format!(
            "`{name}` is signed by none of the keys of `signed_by`, or is another text than was signed"
        ));
    }
    // A comment that is signed with it says for which file it was made, unless the signer chose other words.
    let meant = signature.trusted_comment().split_whitespace().find_map(|word| word.strip_prefix("file:"));
    match meant {
        Some(meant) if meant != name => Err(format!("`{name}{ENDING}` was made for a file `{meant}`")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{check, key_fault};

    const KEY: &str = "RWRU2KDfglRKaBwizoZ7jh5n63ekyPJ9p5D+lmAEjPMMRyCzdCbrfWcu";
    const OTHER: &str = "RWQHNTZysXzKFN/HFcFHtkenoZZiTKDbUGbXPqP6QDntuL65nRxQmYI9";
    const TEXT: &str = "Be kind.\n";
    /// Made by py-minisign for this text as `dev.md`.
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\nRURU2KDfglRKaF+pceDOf0tYdcJJJI6bwRl31OnzdqxaCgQd+YZivYihQVvlFaA/S02VnhvdAemUa1tN0z1xHrSRbJO2yAyzowk=\ntrusted comment: timestamp:1 file:dev.md hashed\n1itOooH/0VmAnNV3ElIZ2I7PRha8mQ7VekVZ/8XrM7uXBWz+14ZGgTOyfcIPYQlstF2KNDeR5p6UfrsZmjc6CA==";

    /// CFG-4: a signature counts for its key, its text, its file and its comment, and for no other.
    #[test]
    fn cfg_4_signatures_count_for_what_was_signed() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        assert_eq!(check(&keys(&[OTHER, KEY]), "dev.md", TEXT, Some(SIGNATURE)), Ok(()));
        let renamed = SIGNATURE.replace("file:dev.md", "file:ops.md");
        for (keys, name, text, signature, word) in [
            (keys(&[KEY]), "dev.md", TEXT, None, "not signed"),
            (keys(&[OTHER]), "dev.md", TEXT, Some(SIGNATURE), "none of the keys"),
            (keys(&[]), "dev.md", TEXT, Some(SIGNATURE), "none of the keys"),
            (keys(&[KEY]), "dev.md", "Be rude.\n", Some(SIGNATURE), "none of the keys"),
            (keys(&[KEY]), "ops.md", TEXT, Some(SIGNATURE), "made for a file `dev.md`"),
            (keys(&[KEY]), "ops.md", TEXT, Some(renamed.as_str()), "none of the keys"),
            (keys(&[KEY]), "dev.md", TEXT, Some("nonsense"), "no signature"),
        ] {
            let why = check(&keys, name, text, signature).unwrap_err();
            assert!(why.contains(word), "{word}: {why}");
        }
        assert!(key_fault(KEY).is_none() && key_fault("RWnonsense").is_some() && key_fault("").is_some());
    }
}
