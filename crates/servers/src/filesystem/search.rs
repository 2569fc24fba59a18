//! The tool that finds files by the pattern of their path.

use std::sync::Arc;

use cap_std::fs::Dir;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::filesystem::list::{entries_of, excluded, patterns};
use crate::filesystem::roots::Roots;
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::glob::Pattern;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Paths of one answer.
const MATCHES_MAX: usize = 1_000;
/// How deep a search goes.
const DEPTH_MAX: usize = 64;
/// Entries looked at by one search.
const VISITED_MAX: usize = 100_000;

pub(crate) fn tools(roots: &Arc<Roots>) -> Vec<Tool> {
    let output = json!({
        "type": "object",
        "properties": {
            "paths": { "type": "array", "items": { "type": "string" } },
            "truncated": { "type": "boolean" },
        },
        "required": ["paths", "truncated"],
    });
    let description = format!(
        "Finds files and directories below 'path' whose path relative to it fits a glob: '*.md' for this directory only, \
         '**/*.md' for all below. Gives absolute paths, at most {MATCHES_MAX}; symbolic links are not followed."
    );
    vec![Signature::new("search_files", Hints::READS, description).returns(output).blocking(roots, search_files)]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// Directory to start from.
    path: String,
    /// Glob that the relative path must fit.
    pattern: String,
    /// Globs of what to leave out, with everything below it.
    #[serde(default, rename = "excludePatterns")]
    exclude_patterns: Vec<String>,
}

fn search_files(roots: &Roots, arguments: Search, cancel: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    let dir = place.open_dir()?;
    let mut walk = Walk {
        pattern: Pattern::new(&arguments.pattern)?,
        exclude: patterns(&arguments.exclude_patterns)?,
        cancel,
        visited: 0,
        found: Vec::new(),
        truncated: false,
    };
    walk.below(&dir, "", 1)?;
    let (found, truncated) = (walk.found, walk.truncated);
    let paths: Vec<String> = found.iter().map(|path| place.shown.join(path).display().to_string()).collect();
    let mut text = if paths.is_empty() { "No matches found".to_owned() } else { paths.join("\n") };
    if truncated {
        text.push_str("\n(cut: there is more; search a narrower directory or pattern)");
    }
    Ok(Outcome::both(text, json!({ "paths": paths, "truncated": truncated })))
}

struct Walk<'a> {
    pattern: Pattern,
    exclude: Vec<Pattern>,
    cancel: &'a Cancel,
    visited: usize,
    found: Vec<String>,
    truncated: bool,
}

impl Walk<'_> {
    fn below(&mut self, dir: &Dir, prefix: &str, depth: usize) -> Result<(), Failure> {
        self.cancel.check()?;
        // A directory that may not be read, or is gone, holds nothing to find.
        let (entries, more) = entries_of(dir, VISITED_MAX - self.visited).unwrap_or_default();
        self.truncated |= more;
        for entry in entries {
            if self.visited == VISITED_MAX || self.found.len() == MATCHES_MAX {
                self.truncated = true;
                return Ok(());
            }
            self.visited += 1;
            let relative = format!("{prefix}{}", entry.name);
            if excluded(&self.exclude, &relative, &entry.name) {
                continue;
            }
            if self.pattern.fits(&relative) {
                self.found.push(relative.clone());
            }
            if entry.kind == "directory" {
                if depth == DEPTH_MAX {
                    self.truncated = true;
                } else if let Ok(child) = entry.open_dir() {
                    self.below(&child, &format!("{relative}/"), depth + 1)?;
                }
            }
        }
        Ok(())
    }
}
