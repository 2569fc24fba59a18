//! One file as it is written: its front matter, what it builds on, and its text, which stays as it is to the byte.

use std::path::{Path, PathBuf};

use crate::bases::Inheritance;
use crate::fault::ProfileFault;
use crate::front::Front;
use crate::inheritance::in_text;
use crate::offer::Offer;

/// Bytes of one file, and of what becomes of it with what it builds on.
pub(crate) const BYTES_MAX: usize = 256 * 1024;
/// Bytes of a description.
const DESCRIPTION_BYTES_MAX: usize = 1_024;

/// One profile's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub(crate) file: PathBuf,
    pub(crate) front: Front,
    pub(crate) offer: Offer,
    pub(crate) bases: Vec<String>,
    pub(crate) how: Inheritance,
    pub(crate) text: String,
}

impl Document {
    /// Reads `text`, which stands in `file`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ProfileFault> {
        if text.len() > BYTES_MAX {
            let why = format!("is longer than a profile may be, {} KiB", BYTES_MAX / 1024);
            return Err(ProfileFault::whole(file, why));
        }
        let (yaml, body) = split(text);
        let front = match yaml {
            Some(yaml) => Front::parse(yaml, file, 1)?,
            None => Front::default(),
        };
        let lines_before = yaml.map_or(0, |yaml| yaml.split_inclusive('\n').count() + 2);
        // Said in the front matter, it is said; the text is text then.
        let (found, body) = match &front.inheritance {
            Some(_) => (None, body.to_owned()),
            None => in_text(body, file, lines_before)?,
        };
        let how = front.inheritance.clone().or(found).unwrap_or_default();
        let mut bases = front.extends.clone();
        if how.enabled {
            bases.extend(how.base_profiles.iter().cloned());
        }
        if front.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
            return Err(ProfileFault::whole(
                file,
                format!("description: is longer than {DESCRIPTION_BYTES_MAX} bytes"),
            ));
        }
        if let Some(name) = front.variables.keys().find(|name| !crate::fill::is_name(name)) {
            let why = format!("variables: `{name}` is no name: letters, digits and `_`, no digit first");
            return Err(ProfileFault::whole(file, why));
        }
        let offer = Offer::build(&front).map_err(|why| ProfileFault::whole(file, why))?;
        Ok(Self { file: file.to_owned(), front, offer, bases, how, text: body })
    }
}

/// Front matter and the rest. A line of `---` at the head of a text is front matter when the first thing below it is a
/// key, and it ends; else it is a rule drawn across the page, and the text is whole.
fn split(text: &str) -> (Option<&str>, &str) {
    let text = text.strip_prefix('\u{feff}').map_or((text, text), |rest| (text, rest));
    let (whole, text) = text;
    let mut lines = text.split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| line.trim_end() == "---" && line.ends_with('\n')) else {
        return (None, whole);
    };
    let says_key = |line: &str| {
        let key = line.split_once(':').map(|(key, _)| key);
        key.is_some_and(|key| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'))
        })
    };
    let mut at = first.len();
    let mut has_key = None;
    for line in lines {
        let plain = line.trim_end();
        if plain == "---" || plain == "..." {
            return match has_key {
                Some(false) => (None, whole),
                // Nothing at all, or fields.
                _ => (Some(&text[first.len()..at]), &text[at + line.len()..]),
            };
        }
        if has_key.is_none() && !plain.is_empty() && !plain.starts_with('#') {
            has_key = Some(says_key(plain));
        }
        at += line.len();
    }
    (None, whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::Document;

    fn parse(text: &str) -> Result<Document, String> {
        Document::parse(text, Path::new("a.md")).map_err(|fault| fault.to_string())
    }

    #[test]
    fn cfg_3_front_matter_is_read_and_the_text_stays() {
        let document =
            parse("---\ndescription: Reviews code.\ntools: [\"git:*\"]\npolicy: {read_only: true}\n---\n# Hi\r\n  x")
                .unwrap();
        assert_eq!(document.text, "# Hi\r\n  x");
        assert_eq!(document.front.description.as_deref(), Some("Reviews code."));
        for text in
            ["# Plain\n", "---\n", "---\nA rule above.\n---\nmore", "---\nkey: never closed\n", "", "--- \nx: 1"]
        {
            assert_eq!(parse(text).unwrap().text, text, "{text:?}");
        }
        assert_eq!(parse("---\n---\nrest").unwrap().text, "rest");
        assert_eq!(parse("---\nextends: base\n---\n").unwrap().bases, ["base"]);
    }

    #[test]
    fn cfg_3_what_is_wrong_is_told_with_line_and_column() {
        for (text, place, word) in [
            ("---\ndescription: x\ntols: [a]\n---\n", "a.md:3:1: ", "tols"),
            ("---\ntools: \"git\"\n---\n", "a.md:2:", ""),
            ("---\nname: [\n---\n", "a.md:", ""),
            ("---\nname: a\nname: b\n---\n", "a.md:3:1: ", "name"),
            ("---\npolicy:\n  allow: [x]\n---\n", "a.md:3:3: ", "allow"),
            ("---\nvariables: {1a: x}\n---\n", "a.md: ", "1a"),
            ("---\ntools: [\"\"]\n---\n", "a.md: tools[0]", ""),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.starts_with(place) && told.contains(word), "{text:?}: {told}");
        }
        assert!(parse(&"x".repeat(256 * 1024 + 1)).unwrap_err().contains("256 KiB"));
    }

    proptest::proptest! {
        /// CFG-3: a text that says nothing about itself is unchanged to the byte.
        #[test]
        fn cfg_3_plain_text_is_unchanged(text in "(\\PC|\n|\r\n|```|# |- |: ){0,80}") {
            proptest::prop_assume!(!text.starts_with("---") && !text.starts_with("\u{feff}---"));
            proptest::prop_assert_eq!(parse(&text).unwrap().text, text);
        }

        #[test]
        fn cfg_3_no_text_makes_the_parser_panic(text in "(---\n)?(\\PC|\n|: |- |inheritance:\n|  enabled: true\n|# Inheritance\n|---\n){0,60}") {
            let _either = parse(&text);
        }
    }
}
