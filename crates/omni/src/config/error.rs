//! What is wrong with a configuration, and the text around the place.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Longest part of a line shown above the caret.
const SHOWN_CHARS_MAX: usize = 120;

/// A place in the text: line and column count from 1, in characters; `offset` and `bytes` are the span in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    #[serde(skip)]
    pub(crate) width: usize,
    #[serde(skip)]
    pub(crate) offset: usize,
    #[serde(skip)]
    pub(crate) bytes: usize,
}

impl Place {
    /// The first character of the text.
    pub(crate) const START: Self = Self { line: 1, column: 1, width: 1, offset: 0, bytes: 0 };
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    pub(crate) message: String,
    /// Absent when the whole file is meant, e.g. when it cannot be read.
    #[serde(flatten)]
    pub(crate) place: Option<Place>,
    /// Another file than the configuration itself: one that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// The line of the text that `place` is in.
    #[serde(skip)]
    line_text: String,
}

impl Problem {
    /// A problem at a place; its line of text is filled in by [`ConfigErrors::new`].
    pub(crate) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { message: message.into(), place: Some(place), file: None, line_text: String::new() }
    }

    /// A problem of the whole file.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, file: None, line_text: String::new() }
    }

    /// A problem of another file, at a place with its line of text.
    pub(crate) fn in_file(path: &Path, at: Option<(Place, String)>, message: impl Into<String>) -> Self {
        let (place, line_text) = at.map_or((None, String::new()), |(place, text)| (Some(place), text));
        Self { message: message.into(), place, file: Some(path.to_owned()), line_text }
    }
}

/// All that is wrong with one file, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigErrors {
    pub(crate) origin: PathBuf,
    pub(crate) problems: Vec<Problem>,
}

impl ConfigErrors {
    /// Sorts the problems, drops repeated ones and gives each its line of text.
    pub(crate) fn new(origin: &Path, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.place.map_or((0, 0), |place| (place.line, place.column)));
        problems.dedup();
        for problem in &mut problems {
            if let Some(place) = problem.place.filter(|_| problem.file.is_none()) {
                let line = text.lines().nth(place.line - 1).unwrap_or_default();
                problem.line_text = line.trim_start_matches('\u{feff}').to_owned();
            }
        }
        Self { origin: origin.to_owned(), problems }
    }
}

impl std::error::Error for ConfigErrors {}

/// One line a problem with `{:#}`, for logs, where lines of the file and what stands in them have no place.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            if formatter.alternate() {
                problem.head(formatter, &self.origin)?;
            } else {
                problem.show(formatter, &self.origin)?;
            }
        }
        Ok(())
    }
}

impl Problem {
    /// `file:line:column: message`.
    fn head(&self, formatter: &mut fmt::Formatter<'_>, origin: &Path) -> fmt::Result {
        let origin = self.file.as_deref().unwrap_or(origin).display();
        match self.place {
            Some(place) => write!(formatter, "{origin}:{}:{}: {}", place.line, place.column, self.message),
            None => write!(formatter, "{origin}: {}", self.message),
        }
    }

    /// `file:line:column: message`, the line, and carets under the part that is meant.
    fn show(&self, formatter: &mut fmt::Formatter<'_>, origin: &Path) -> fmt::Result {
        self.head(formatter, origin)?;
        writeln!(formatter)?;
        let Some(place) = self.place else { return Ok(()) };
        // A tab counts as one column in the parser, so it is shown as one space to keep the caret in its place.
        let line: String = self.line_text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let length = line.chars().count();
        let column = place.column.min(length + 1);
        let skipped = if column > SHOWN_CHARS_MAX { column - SHOWN_CHARS_MAX / 2 } else { 0 };
        let shown: String = line.chars().skip(skipped).take(SHOWN_CHARS_MAX).collect();
        let before = column - 1 - skipped;
        let carets = place.width.min(shown.chars().count().saturating_sub(before)).max(1);
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(formatter, " {number} | {shown}")?;
        writeln!(formatter, " {margin} | {}{}", " ".repeat(before), "^".repeat(carets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_the_text_also_with_tabs_and_far_to_the_right() {
        let text = format!("a\n{}\tkey: value\n", "x".repeat(200));
        let place = Place { line: 2, column: 202, width: 3, offset: 0, bytes: 0 };
        let errors = ConfigErrors::new(Path::new("omni.yaml"), &text, vec![Problem::at(place, "bad")]);
        let shown = errors.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "omni.yaml:2:202: bad");
        let caret = lines[2].find('^').unwrap_or_default();
        assert_eq!(&lines[1][caret..caret + 3], "key");
        assert!(lines[2].ends_with("^^^"));
        assert_eq!(format!("{errors:#}"), "omni.yaml:2:202: bad");
    }

    #[test]
    fn a_place_beyond_the_text_is_shown_without_panic() {
        let place = Place { line: 9, column: 500, width: 900, offset: 0, bytes: 0 };
        let errors = ConfigErrors::new(Path::new("f"), "", vec![Problem::at(place, "end")]);
        assert!(errors.to_string().ends_with("| ^\n"));
    }
}
