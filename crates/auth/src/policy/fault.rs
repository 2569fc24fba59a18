//! What is wrong with policies as they are written, and where.

use std::fmt;
use std::path::PathBuf;

/// Bytes of a line that are shown.
const LINE_BYTES_MAX: usize = 160;

/// What is wrong with one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFault {
    /// The key of `omni.yaml` that it stands under, or the file.
    pub place: Place,
    /// What is wrong.
    pub message: String,
}

/// Where a policy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In `omni.yaml`, under this path of keys.
    Key(Vec<String>),
    /// In a `.cedar` file.
    File {
        /// The file.
        path: PathBuf,
        /// Line and column, from 1, and how the line looks with a caret under the place; `None` for the file as a whole.
        at: Option<Spot>,
    },
}

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line.
    pub text: String,
    /// Characters that are meant.
    pub length: usize,
}

impl PolicyFault {
    pub(super) fn key<const N: usize>(path: [&str; N], message: impl Into<String>) -> Self {
        Self::at_key(path.map(str::to_owned).into_iter(), message)
    }

    pub(super) fn at_key(path: impl Iterator<Item = String>, message: impl Into<String>) -> Self {
        let path = std::iter::once("policy".to_owned()).chain(path).collect();
        Self { place: Place::Key(path), message: message.into() }
    }

    pub(super) fn file(path: &std::path::Path, at: Option<Spot>, message: impl Into<String>) -> Self {
        Self { place: Place::File { path: path.to_owned(), at }, message: message.into() }
    }
}

impl Spot {
    /// The place of `length` bytes at `offset` of `text`.
    pub(super) fn of(text: &str, offset: usize, length: usize) -> Self {
        let offset = text.floor_char_boundary(offset);
        let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let shown = text[start..end].floor_char_boundary(LINE_BYTES_MAX);
        let stop = text.floor_char_boundary(offset.saturating_add(length).min(end)).max(offset);
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[start..offset].chars().count() + 1,
            text: text[start..start + shown].trim_end().to_owned(),
            length: text[offset..stop].chars().count().max(1),
        }
    }
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Key(path) => write!(f, "{}: {}", path.join("."), self.message),
            Place::File { path, at: None } => write!(f, "{}: {}", path.display(), self.message),
            Place::File { path, at: Some(spot) } => {
                let Spot { line, column, text, length } = spot;
                writeln!(f, "{}:{line}:{column}: {}", path.display(), self.message)?;
                let margin = line.to_string().len();
                writeln!(f, "{line} | {text}")?;
                // Tabs stay tabs, so that the caret stands under its place.
                let indent: String =
                    text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                let carets = "^".repeat((*length).min(text.chars().count().saturating_sub(column - 1).max(1)));
                write!(f, "{:margin$} | {indent}{carets}", "")
            }
        }
    }
}

impl std::error::Error for PolicyFault {}

#[cfg(test)]
mod tests {
    use super::{PolicyFault, Spot};

    #[test]
    fn tool_2_a_fault_points_at_its_place() {
        let text = "permit(\n\tprincipal, åctio, resource);\n";
        let spot = Spot::of(text, text.find("åctio").unwrap_or_default(), "åctio".len());
        let shown = PolicyFault::file("a.cedar".as_ref(), Some(spot), "not so").to_string();
        assert_eq!(shown, "a.cedar:2:13: not so\n2 | \tprincipal, åctio, resource);\n  | \t           ^^^^^");
        let end = Spot::of("x", 9, 3);
        assert_eq!((end.line, end.column, end.length), (1, 2, 1));
    }
}
