//! One condition of a query: `who=ann`, `resource=git_*`, `outcome!=success`.

use std::fmt;

/// Longest condition read; longer ones than any field of an event cannot hold.
const TERM_BYTES_MAX: usize = 16 * 1024;

/// One condition: a field, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The field's name.
    pub field: String,
    /// What it has to be.
    pub pattern: Pattern,
    /// Whether it must not be that.
    pub negated: bool,
}

/// What a field has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This text.
    Exact(String),
    /// Text that begins so; the empty one asks only that there is any.
    Prefix(String),
}

/// Why a condition cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// It has no `=`.
    #[error("`{0}` is no condition: write FIELD=VALUE, FIELD!=VALUE or FIELD=BEGINNING*, such as `outcome=denied`")]
    NoSign(String),
    /// Its field has no name, or one that no field can have.
    #[error("`{0}` is no name of a field: names are letters, digits, `.`, `_` and `-`")]
    NoField(String),
    /// A star stands where none can.
    #[error("`{0}`: a star can stand at the end only, for any ending; write `\\*` for a star itself")]
    Star(String),
    /// It is longer than any field.
    #[error("a condition of {0} bytes is longer than any field")]
    Long(usize),
}

impl Term {
    /// Reads `field=value`, `field!=value`; a star at the end stands for any ending, `\*` and `\\` for themselves.
    pub fn parse(text: &str) -> Result<Self, TermError> {
        if text.len() > TERM_BYTES_MAX {
            return Err(TermError::Long(text.len()));
        }
        let (field, value) = text.split_once('=').ok_or_else(|| TermError::NoSign(text.to_owned()))?;
        let (field, negated) = field.strip_suffix('!').map_or((field, false), |field| (field, true));
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if field.is_empty() || !field.chars().all(named) {
            return Err(TermError::NoField(field.to_owned()));
        }
        Ok(Self { field: field.to_owned(), pattern: Pattern::parse(value)?, negated })
    }

    /// A condition that `field` is `value` and nothing else.
    #[must_use]
    pub fn exact(field: &str, value: &str) -> Self {
        Self { field: field.to_owned(), pattern: Pattern::Exact(value.to_owned()), negated: false }
    }

    /// A condition that `field` is `value`, as a pattern.
    pub fn on(field: &str, value: &str) -> Result<Self, TermError> {
        Ok(Self { field: field.to_owned(), pattern: Pattern::parse(value)?, negated: false })
    }
}

impl Pattern {
    /// Reads a value, with a star at its end for any ending.
    pub fn parse(text: &str) -> Result<Self, TermError> {
        let mut plain = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                // Other backslashes are themselves: values are often paths.
                '\\' => match chars.clone().next() {
                    Some(escaped @ ('*' | '\\')) => {
                        chars.next();
                        plain.push(escaped);
                    }
                    _ => plain.push('\\'),
                },
                '*' if chars.as_str().is_empty() => return Ok(Self::Prefix(plain)),
                '*' => return Err(TermError::Star(text.to_owned())),
                c => plain.push(c),
            }
        }
        Ok(Self::Exact(plain))
    }

    /// Whether `text` is what is asked for.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == exact,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negated { "!=" } else { "=" };
        write!(f, "{}{sign}{}", self.field, self.pattern)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, end) = match self {
            Self::Exact(text) => (text, ""),
            Self::Prefix(text) => (text, "*"),
        };
        write!(f, "{}{end}", text.replace('\\', "\\\\").replace('*', "\\*"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::{Pattern, TERM_BYTES_MAX, Term, TermError};

    #[test]
    fn conditions_read_as_people_write_them() {
        let term = Term::parse("resource=git_*").unwrap();
        assert_eq!((term.field.as_str(), term.negated), ("resource", false));
        assert!(term.pattern.matches("git_commit") && !term.pattern.matches("fs_git_"));
        assert!(Term::parse("outcome!=success").unwrap().negated);
        assert_eq!(Term::parse("a=b=c").unwrap().pattern, Pattern::Exact("b=c".into()));
        assert_eq!(Term::parse(r"a=C:\dir\*").unwrap().pattern, Pattern::Exact(r"C:\dir*".into()));
        assert_eq!(Term::parse(r"a=C:\dir\\*").unwrap().pattern, Pattern::Prefix(r"C:\dir\".into()));
        assert_eq!(Term::parse("a=").unwrap().pattern, Pattern::Exact(String::new()));
        assert!(matches!(Term::parse("denied"), Err(TermError::NoSign(_))));
        assert!(matches!(Term::parse("=x"), Err(TermError::NoField(_))));
        assert!(matches!(Term::parse("a b=x"), Err(TermError::NoField(_))));
        assert!(matches!(Term::parse("a=*x"), Err(TermError::Star(_))));
        assert!(matches!(Term::parse(&format!("a={}", "x".repeat(TERM_BYTES_MAX))), Err(TermError::Long(_))));
    }

    proptest! {
        #[test]
        fn a_condition_is_written_as_it_is_read(field in "[a-z._-]{1,9}", value in any::<String>(), star: bool, negated: bool) {
            let pattern = if star { Pattern::Prefix(value) } else { Pattern::Exact(value) };
            let term = Term { field, pattern, negated };
            prop_assert_eq!(Term::parse(&term.to_string()), Ok(term));
        }

        #[test]
        fn text_of_chance_is_read_or_refused(text in any::<String>()) {
            if let Ok(term) = Term::parse(&text) {
                prop_assert_eq!(Term::parse(&term.to_string()), Ok(term));
            }
        }
    }
}
