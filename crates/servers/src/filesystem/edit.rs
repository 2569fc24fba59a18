//! The tool that replaces pieces of a text file and shows what changed.

use std::sync::Arc;

use git2::{DiffOptions, Patch};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::filesystem::limits::READ_BYTES_MAX;
use crate::filesystem::read::text_of;
use crate::filesystem::roots::Roots;
use crate::filesystem::write::replace;
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Edits of one call.
const EDITS_MAX: usize = 1_000;

pub(crate) fn tools(roots: &Arc<Roots>) -> Vec<Tool> {
    let description = "Replaces pieces of a text file, in the order given, and shows the change as a unified diff. Each \
        'oldText' must occur exactly once: take in enough of the lines around it. Either all edits are made or none. \
        'dryRun' shows the diff and changes nothing.";
    vec![Signature::new("edit_file", Hints::CHANGES, description).blocking(roots, edit_file)]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EditFile {
    /// File to edit.
    path: String,
    /// Replacements, made one after the other.
    #[schemars(length(min = 1, max = 1000))]
    edits: Vec<Edit>,
    /// Only show what would change.
    #[serde(default, rename = "dryRun")]
    dry_run: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// Text to find, exactly as it stands in the file.
    #[serde(rename = "oldText")]
    old_text: String,
    /// Text to put in its place.
    #[serde(rename = "newText")]
    new_text: String,
}

fn edit_file(roots: &Roots, arguments: EditFile, cancel: &Cancel) -> Answer {
    if arguments.edits.is_empty() || arguments.edits.len() > EDITS_MAX {
        return Err(Failure::new(format!("'edits' must hold 1 to {EDITS_MAX} edits")));
    }
    let place = roots.locate(&arguments.path)?;
    let before = text_of(&place, READ_BYTES_MAX)?;
    let mut after = before.clone();
    for (index, edit) in arguments.edits.iter().enumerate() {
        cancel.check()?;
        after = applied(&after, edit).map_err(|Failure(reason)| Failure::new(format!("edits[{index}]: {reason}")))?;
        if after.len() as u64 > READ_BYTES_MAX {
            return Err(Failure::new(format!("edits[{index}]: the file would have more than {READ_BYTES_MAX} bytes")));
        }
    }
    let diff = unified_diff(&arguments.path, &before, &after)?;
    if !arguments.dry_run {
        replace(&place, &after)?;
    }
    Ok(Outcome::text(if diff.is_empty() { "No change".to_owned() } else { diff }))
}

fn applied(text: &str, edit: &Edit) -> Result<String, Failure> {
    if edit.old_text.is_empty() {
        return Err(Failure::new("'oldText' is empty"));
    }
    // Models write plain newlines; in a file of CRLF lines both texts are meant with its line ends.
    let windows_lines = !text.contains(&edit.old_text) && text.contains("\r\n");
    let with_ends =
        |piece: &str| if windows_lines { piece.replace("\r\n", "\n").replace('\n', "\r\n") } else { piece.to_owned() };
    let (old, new) = (with_ends(&edit.old_text), with_ends(&edit.new_text));
    match text.matches(old.as_str()).count() {
        1 => Ok(text.replacen(&old, &new, 1)),
        0 => Err(Failure::new("'oldText' does not occur in the file; read it again and copy the text exactly")),
        count => Err(Failure::new(format!("'oldText' occurs {count} times; take in more lines so that it is unique"))),
    }
}

fn unified_diff(path: &str, before: &str, after: &str) -> Result<String, Failure> {
    let failure = |error: git2::Error| Failure::because("cannot show the difference", error.message());
    let name = path.trim_start_matches('/');
    let (old, new) = (before.as_bytes(), after.as_bytes());
    let mut options = DiffOptions::new();
    options.force_text(true);
    let mut patch =
        Patch::from_buffers(old, Some(name.as_ref()), new, Some(name.as_ref()), Some(&mut options)).map_err(failure)?;
    let text = patch.to_buf().map_err(failure)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn apply(text: &str, old: &str, new: &str) -> Result<String, Failure> {
        applied(text, &Edit { old_text: old.to_owned(), new_text: new.to_owned() })
    }

    #[test]
    fn a_text_must_occur_once() {
        assert_eq!(apply("one two", "two", "2").unwrap(), "one 2");
        assert!(apply("one", "three", "3").unwrap_err().0.contains("does not occur"));
        assert!(apply("a a a", "a", "b").unwrap_err().0.contains("occurs 3 times"));
        assert!(apply("a", "", "b").unwrap_err().0.contains("empty"));
    }

    #[test]
    fn the_line_ends_of_the_file_are_kept() {
        assert_eq!(apply("a\r\nb\r\nc\r\n", "a\nb", "x\ny").unwrap(), "x\r\ny\r\nc\r\n");
        assert_eq!(apply("a\nb\n", "b\n", "c\n").unwrap(), "a\nc\n");
    }

    #[test]
    fn the_diff_is_unified() {
        let diff = unified_diff("/d/f.txt", "a\nb\n", "a\nc\n").unwrap();
        assert!(diff.contains("--- a/d/f.txt") && diff.contains("-b\n+c\n"), "{diff}");
        assert_eq!(unified_diff("f", "a", "a").unwrap(), "");
    }
}
