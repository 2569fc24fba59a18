//! A text with references in it: `Bearer ${STORE:github}`. Read once; what is put in is never read again.

use std::fmt;

use crate::error::TemplateError;
use crate::reference::Reference;

/// Bytes of one text.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// References in one text.
pub const REFERENCES_MAX: usize = 256;

/// A text with references in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Characters as they are.
    Text(String),
    /// What is put in.
    Value {
        /// What it stands for.
        reference: Reference,
        /// What stands there when nothing is kept under that name.
        default: Option<String>,
        /// The byte of the text at which it begins.
        at: usize,
    },
}

impl Template {
    /// Reads a text. `$${` is `${` itself; a `$` before anything else is itself.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEXT_BYTES_MAX {
            let why = format!("a text with references has at most {TEXT_BYTES_MAX} bytes");
            return Err(TemplateError { at: 0, why });
        }
        let (mut parts, mut plain, mut at) = (Vec::new(), String::new(), 0);
        let mut references = 0;
        while let Some(dollar) = text[at..].find('$').map(|found| at + found) {
            plain.push_str(&text[at..dollar]);
            let rest = &text[dollar..];
            if rest.starts_with("$${") {
                plain.push_str("${");
                at = dollar + 3;
            } else if let Some(after) = rest.strip_prefix("${") {
                let wrong = |why: String| TemplateError { at: dollar, why };
                let end = after.find('}').ok_or_else(|| {
                    wrong("`${` is not closed by `}`; write `$${` for the characters themselves".to_owned())
                })?;
                let (reference, default) = Reference::parse(&after[..end]).map_err(wrong)?;
                references += 1;
                if references > REFERENCES_MAX {
                    return Err(wrong(format!("a text holds at most {REFERENCES_MAX} references")));
                }
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Value { reference, default: default.map(str::to_owned), at: dollar });
                at = dollar + 2 + end + 1;
            } else {
                plain.push('$');
                at = dollar + 1;
            }
        }
        plain.push_str(&text[at..]);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// Its parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Its references, in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value { reference, .. } => Some(reference),
            Part::Text(_) => None,
        })
    }

    /// A text that is read as `text` itself.
    #[must_use]
    pub fn escape(text: &str) -> String {
        // A `$` that stands before one of `${` would make it an escape of the escape's.
        let mut escaped = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(found) = rest.find("${") {
            escaped.push_str(&rest[..found]);
            escaped.push_str("$${");
            rest = &rest[found + 2..];
        }
        escaped + rest
    }
}

/// As it is written: what is read from it is the same again.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(&Self::escape(text))?,
                Part::Value { reference, default: None, .. } => write!(f, "{reference}")?,
                Part::Value { reference, default: Some(default), .. } => {
                    let written = reference.to_string();
                    write!(f, "{}:-{default}}}", &written[..written.len() - 1])?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::{Part, REFERENCES_MAX, TEXT_BYTES_MAX, Template};

    fn plain(text: &str) -> String {
        let parts = Template::parse(text).unwrap();
        parts.parts().iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "*" }).collect()
    }

    #[test]
    fn cfg_5_references_stand_whole_and_inside_texts() {
        for (text, read) in [
            ("plain $5 $", "plain $5 $"),
            ("${ENV:A}", "*"),
            ("Bearer ${STORE:x}!", "Bearer *!"),
            ("x${ENV:A}y${VAULT:a/b:c}z", "x*y*z"),
            ("$${ENV:A}", "${ENV:A}"),
            ("$${A} ${ENV:A}", "${A} *"),
            ("$$$${A}", "$$${A}"),
            ("ü${ENV:A}ü", "ü*ü"),
            ("", ""),
        ] {
            assert_eq!(plain(text), read, "{text}");
        }
    }

    #[test]
    fn cfg_5_a_fault_has_its_place() {
        for (text, line, column) in [("ü\nüx ${HOME}", 2, 4), ("${ENV:A", 1, 1), ("a ${ENV:A} ${X:y}", 1, 12)] {
            assert_eq!(Template::parse(text).unwrap_err().line_column(text), (line, column), "{text}");
        }
    }

    #[test]
    fn cfg_5_texts_are_bounded() {
        assert!(Template::parse(&"a".repeat(TEXT_BYTES_MAX)).is_ok());
        assert!(Template::parse(&"a".repeat(TEXT_BYTES_MAX + 1)).is_err());
        assert!(Template::parse(&"${ENV:A}".repeat(REFERENCES_MAX)).is_ok());
        assert!(Template::parse(&"${ENV:A}".repeat(REFERENCES_MAX + 1)).unwrap_err().at > 0);
    }

    proptest! {
        #[test]
        fn cfg_5_text_without_references_is_unchanged(text in "[^$]{0,64}") {
            prop_assert_eq!(plain(&text), text);
        }

        #[test]
        fn cfg_5_whatever_is_escaped_is_read_as_itself(text in "[\\PC$]*(\\$\\{|\\$|\\{)?[\\PC${}]*") {
            prop_assert_eq!(plain(&Template::escape(&text)), text);
        }

        #[test]
        fn cfg_5_what_is_written_is_read_back(text in "([a$ü]|\\$\\$\\{|\\$\\{(ENV|VAULT):[a-z]{1,4}(:-[a-z:$]{0,4})?\\}){0,12}") {
            if let Ok(read) = Template::parse(&text) {
                let again = Template::parse(&read.to_string()).unwrap();
                prop_assert_eq!(again.to_string(), read.to_string());
                prop_assert!(again.references().eq(read.references()));
            }
        }
    }
}
