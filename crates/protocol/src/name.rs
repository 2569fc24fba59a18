//! Names of tools and prompts as the hub shows them: `server__tool`, 64 characters at most (row TOOL-1).

/// Characters that clients accept in a tool's name (`[a-zA-Z0-9_-]{1,64}`).
pub const NAME_LENGTH_MAX: usize = 64;

/// Characters of the digest that stands for what was cut.
const DIGEST_LENGTH: usize = 8;

/// The name under which the hub shows `item` of `server`.
///
/// Names that are too long, or hold characters that clients refuse, are cut and get a digest of the whole name at their
/// end. The result depends on the name alone, so every replica makes the same; the catalog's index leads back.
#[must_use]
pub fn qualified_name(server: &str, item: &str) -> String {
    let whole = format!("{server}__{item}");
    let accepted = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if whole.len() <= NAME_LENGTH_MAX && whole.bytes().all(accepted) {
        return whole;
    }
    let kept: String = whole
        .chars()
        .map(|c| if c.is_ascii() && accepted(c as u8) { c } else { '_' })
        .take(NAME_LENGTH_MAX - DIGEST_LENGTH - 1)
        .collect();
    format!("{kept}_{}", digest(&whole))
}

/// Takes `server__item` or `server:item` apart. The server's name may not be one that exists.
#[must_use]
pub fn split_qualified(name: &str) -> Option<(&str, &str)> {
    // A server's name holds neither separator, so the first one of either kind is the border.
    match (name.find("__"), name.find(':')) {
        (Some(under), Some(colon)) if colon < under => Some((&name[..colon], &name[colon + 1..])),
        (Some(under), _) => Some((&name[..under], &name[under + 2..])),
        (None, Some(colon)) => Some((&name[..colon], &name[colon + 1..])),
        (None, None) => None,
    }
}

/// FNV-1a, 64 bits, folded to 40 and written in base 32: not a secret, only unlikely to meet by chance. The index
/// refuses a second name with the same digest.
fn digest(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let folded = hash ^ (hash >> 40);
    (0..DIGEST_LENGTH).map(|i| char::from(ALPHABET[((folded >> (5 * i)) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{NAME_LENGTH_MAX, qualified_name, split_qualified};

    #[test]
    fn tool_1_both_forms_part_at_the_server() {
        assert_eq!(split_qualified("filesystem__read"), Some(("filesystem", "read")));
        assert_eq!(split_qualified("filesystem:read"), Some(("filesystem", "read")));
        assert_eq!(split_qualified("a:b__c"), Some(("a", "b__c")));
        assert_eq!(split_qualified("a__b:c"), Some(("a", "b:c")));
        assert_eq!(split_qualified("a___b"), Some(("a", "_b")));
        assert_eq!(split_qualified("plain"), None);
    }

    #[test]
    fn tool_1_long_and_foreign_names_are_shortened_and_differ() {
        assert_eq!(qualified_name("git", "git_log"), "git__git_log");
        let one = qualified_name("server", &"x".repeat(100));
        let two = qualified_name("server", &("x".repeat(99) + "y"));
        assert_eq!(one.len(), NAME_LENGTH_MAX);
        assert_ne!(one, two);
        assert_ne!(qualified_name("s", "a b"), qualified_name("s", "a/b"));
    }

    proptest! {
        #[test]
        fn never_longer_and_always_accepted(item in ".{0,200}") {
            let name = qualified_name("server", &item);
            prop_assert!(name.len() <= NAME_LENGTH_MAX);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')));
        }
    }
}
