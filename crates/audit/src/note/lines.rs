//! What stands before a checkpoint in proofs (C2SP tlog-proof) and in what witnesses are asked (C2SP tlog-witness).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::tree::Hash;

/// The number of the line `label number`, in decimal without zeros before it.
pub(crate) fn number(line: Option<&str>, label: &str) -> Option<u64> {
    let digits = line?.strip_prefix(label)?.strip_prefix(' ')?;
    let is_decimal = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.parse().ok().filter(|_| is_decimal)
}

/// A hash in each line that is left.
///
/// # Errors
/// With what is wrong: one that is none, or more than `most`.
pub(crate) fn hashes<'a>(lines: impl Iterator<Item = &'a str>, most: usize) -> Result<Vec<Hash>, String> {
    let mut hashes = Vec::new();
    for line in lines {
        let hash = STANDARD.decode(line).ok().and_then(|bytes| Hash::try_from(bytes).ok());
        hashes.push(hash.ok_or("one of its hashes is no SHA-256 in base64")?);
        if hashes.len() > most {
            return Err(format!("it has more than {most} hashes"));
        }
    }
    Ok(hashes)
}
