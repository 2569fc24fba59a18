//! Variables put into a text: `${name}` of names that somebody gave a value. Everything else stays as it is, whatever it
//! looks like: references of secrets (`${VAULT:…}`) are no variables and are never followed from here.

use std::collections::BTreeMap;

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 64;

/// Whether `text` may name a variable.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `text` with `values` put in, once: what a value holds is not looked at again. `$${name}` is `${name}` as it stands.
///
/// # Errors
/// When it becomes longer than `bytes_max`.
pub(crate) fn fill(text: &str, values: &BTreeMap<&str, &str>, bytes_max: usize) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, behind) = rest.split_at(at);
        // Only as far as a name goes: what is none must not cost a look at the rest for each `${`.
        let near = &behind[2..behind.floor_char_boundary(2 + NAME_BYTES_MAX + 1)];
        let found = near.split_once('}').and_then(|(name, _)| Some((name, *values.get(name)?)));
        match found {
            Some((name, value)) => {
                match before.strip_suffix('$') {
                    Some(before) => {
                        out.push_str(before);
                        out.push_str(&behind[..name.len() + 3]);
                    }
                    None => {
                        out.push_str(before);
                        out.push_str(value);
                    }
                }
                rest = &behind[name.len() + 3..];
            }
            None => {
                out.push_str(before);
                out.push_str("${");
                rest = &behind[2..];
            }
        }
        if out.len() > bytes_max {
            break;
        }
    }
    out.push_str(rest);
    if out.len() > bytes_max {
        return Err(format!("with its variables it is longer than {} KiB", bytes_max / 1024));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::fill;

    #[test]
    fn cfg_5_variables_are_put_in_once() {
        let values = BTreeMap::from([("team", "core"), ("deep", "${team}")]);
        let filled = |text| fill(text, &values, 1_000).unwrap();
        assert_eq!(
            filled("Team ${team}, ${deep}, $${team}, ${HOME}, ${}"),
            "Team core, ${team}, ${team}, ${HOME}, ${}"
        );
        assert_eq!(filled("${team"), "${team");
        assert_eq!(filled("${${team}}"), "${core}");
        assert!(fill("${team}", &BTreeMap::from([("team", "x".repeat(99).as_str())]), 50).is_err());
    }

    /// SEC-1: a reference of a secret in a profile is text.
    #[test]
    fn sec_1_references_of_secrets_are_never_followed() {
        let values = BTreeMap::from([("VAULT", "x"), ("db", "y")]);
        for text in
            ["${VAULT:db/password}", "${SECRET:api-key}", "${ENV:HOME}", "${FILE:/etc/passwd}", "${KEYCHAIN:a/b}"]
        {
            assert_eq!(fill(text, &values, 1_000).unwrap(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn cfg_5_text_without_variables_is_unchanged(text in "([$]|[{]|[}]|[a-z:]|\\PC){0,60}") {
            proptest::prop_assert_eq!(fill(&text, &BTreeMap::new(), 100_000).unwrap(), text);
        }
    }
}
