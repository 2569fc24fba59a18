//! Tools that show what directories hold.

use std::sync::Arc;

use cap_std::fs::{Dir, DirEntry, FileType};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::filesystem::roots::{Place, Roots};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::glob::Pattern;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Entries of one listing or tree.
const ENTRIES_MAX: usize = 10_000;
/// Levels of a tree. Each is two levels of JSON, and common JSON readers stop at 128.
const TREE_DEPTH_MAX: usize = 48;
/// Patterns of one call.
const PATTERNS_MAX: usize = 100;

pub(crate) fn tools(roots: &Arc<Roots>) -> Vec<Tool> {
    let entry = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "type": { "type": "string", "enum": ["file", "directory", "link", "other"] },
            "size": { "type": "integer" },
        },
        "required": ["name", "type"],
    });
    let listing = json!({
        "type": "object",
        "properties": { "entries": { "type": "array", "items": entry }, "truncated": { "type": "boolean" } },
        "required": ["entries", "truncated"],
    });
    let tree = json!({
        "type": "object",
        "properties": { "entries": { "type": "array", "items": { "type": "object" } }, "truncated": { "type": "boolean" } },
        "required": ["entries", "truncated"],
    });
    vec![
        Signature::new(
            "list_directory",
            Hints::READS,
            "Lists a directory by name, one entry a line: [DIR], [FILE], [LINK] (symbolic link) or [OTHER].",
        )
        .returns(listing.clone())
        .blocking(roots, list_directory),
        Signature::new(
            "list_directory_with_sizes",
            Hints::READS,
            "Lists a directory with the size of each file in bytes and the totals, sorted by name or by size.",
        )
        .returns(listing)
        .blocking(roots, list_directory_with_sizes),
        Signature::new(
            "directory_tree",
            Hints::READS,
            format!(
                "Shows a directory and everything below as JSON: name, type, and the children of directories. Symbolic \
                 links are shown and not followed. At most {ENTRIES_MAX} entries and {TREE_DEPTH_MAX} levels; \
                 'excludePatterns' (globs such as 'node_modules' or '**/*.log') leaves out what is not needed."
            ),
        )
        .returns(tree)
        .blocking(roots, directory_tree),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    /// Directory to list.
    path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListWithSizes {
    /// Directory to list.
    path: String,
    /// Order of the entries.
    #[serde(default, rename = "sortBy")]
    sort_by: SortBy,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SortBy {
    #[default]
    Name,
    Size,
}

/// What an entry is, without following it.
pub(crate) fn kind_of(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "directory"
    } else if kind.is_file() {
        "file"
    } else if kind.is_symlink() {
        "link"
    } else {
        "other"
    }
}

/// One name of a directory.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    entry: DirEntry,
}

impl Entry {
    /// The directory behind the entry, where it still is one.
    pub(crate) fn open_dir(&self) -> std::io::Result<Dir> {
        self.entry.open_dir()
    }
}

/// The entries of a directory by name, and whether there were more than `entries_max`.
pub(crate) fn entries_of(dir: &Dir, entries_max: usize) -> std::io::Result<(Vec<Entry>, bool)> {
    let mut entries = Vec::new();
    for entry in dir.entries()? {
        if entries.len() == entries_max {
            return Ok((entries, true));
        }
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push(Entry { name, kind: kind_of(entry.file_type()?), entry });
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((entries, false))
}

fn listed(place: &Place<'_>) -> Result<(Vec<Entry>, bool), Failure> {
    let listing = entries_of(&place.open_dir()?, ENTRIES_MAX);
    listing.map_err(|error| place.failure("cannot list", &error))
}

fn tag(kind: &str) -> &'static str {
    match kind {
        "directory" => "[DIR]",
        "file" => "[FILE]",
        "link" => "[LINK]",
        _ => "[OTHER]",
    }
}

fn cut_note(truncated: bool) -> String {
    if truncated { format!("\n(cut: more than {ENTRIES_MAX} entries)") } else { String::new() }
}

fn list_directory(roots: &Roots, arguments: List, _: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    let (entries, truncated) = listed(&place)?;
    let lines: Vec<String> = entries.iter().map(|entry| format!("{} {}", tag(entry.kind), entry.name)).collect();
    let data: Vec<Value> = entries.iter().map(|entry| json!({ "name": entry.name, "type": entry.kind })).collect();
    let text = if lines.is_empty() { "(empty directory)".to_owned() } else { lines.join("\n") };
    Ok(Outcome::both(text + &cut_note(truncated), json!({ "entries": data, "truncated": truncated })))
}

fn list_directory_with_sizes(roots: &Roots, arguments: ListWithSizes, cancel: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    let (entries, truncated) = listed(&place)?;
    let mut sized = Vec::new();
    for entry in entries {
        cancel.check()?;
        // An entry that vanished meanwhile has no size any more.
        let size = entry.entry.metadata().ok().filter(|_| entry.kind == "file").map(|metadata| metadata.len());
        sized.push((entry, size));
    }
    if arguments.sort_by == SortBy::Size {
        sized.sort_by_key(|(_, size)| std::cmp::Reverse(size.unwrap_or(0)));
    }
    let mut lines = Vec::new();
    let mut data = Vec::new();
    for (entry, size) in &sized {
        let shown = size.map_or_else(String::new, |size| format!(" {size}"));
        lines.push(format!("{} {}{shown}", tag(entry.kind), entry.name));
        let mut item = json!({ "name": entry.name, "type": entry.kind });
        if let Some(size) = size {
            item["size"] = json!(size);
        }
        data.push(item);
    }
    let files = sized.iter().filter(|(entry, _)| entry.kind == "file").count();
    let directories = sized.iter().filter(|(entry, _)| entry.kind == "directory").count();
    let total: u64 = sized.iter().filter_map(|(_, size)| *size).sum();
    lines.push(format!("\nTotal: {files} files, {directories} directories, {total} bytes"));
    let text = lines.join("\n") + &cut_note(truncated);
    Ok(Outcome::both(text, json!({ "entries": data, "truncated": truncated })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tree {
    /// Directory to show.
    path: String,
    /// Globs of what to leave out, matched against the path relative to 'path' and against the bare name.
    #[serde(default, rename = "excludePatterns")]
    exclude_patterns: Vec<String>,
}

/// Reads patterns that leave entries out.
pub(crate) fn patterns(texts: &[String]) -> Result<Vec<Pattern>, Failure> {
    if texts.len() > PATTERNS_MAX {
        return Err(Failure::new(format!("'excludePatterns' may hold at most {PATTERNS_MAX} patterns")));
    }
    texts.iter().map(|text| Pattern::new(text)).collect()
}

/// Whether an entry is left out; a pattern without a slash is about names wherever they are.
pub(crate) fn excluded(patterns: &[Pattern], relative: &str, name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.fits(relative) || pattern.fits(name))
}

fn directory_tree(roots: &Roots, arguments: Tree, cancel: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    let dir = place.open_dir()?;
    let exclude = patterns(&arguments.exclude_patterns)?;
    let mut walk = TreeWalk { exclude, cancel, left: ENTRIES_MAX, truncated: false };
    let entries = walk.below(&dir, "", 1)?;
    let tree = json!({ "entries": entries, "truncated": walk.truncated });
    Ok(Outcome::data(tree))
}

struct TreeWalk<'a> {
    exclude: Vec<Pattern>,
    cancel: &'a Cancel,
    left: usize,
    truncated: bool,
}

impl TreeWalk<'_> {
    fn below(&mut self, dir: &Dir, prefix: &str, depth: usize) -> Result<Vec<Value>, Failure> {
        self.cancel.check()?;
        // A directory that may not be read, or is gone, has no children to show.
        let (entries, more) = entries_of(dir, self.left).unwrap_or_default();
        self.truncated |= more;
        let mut nodes = Vec::new();
        for entry in entries {
            let relative = format!("{prefix}{}", entry.name);
            if excluded(&self.exclude, &relative, &entry.name) {
                continue;
            }
            if self.left == 0 {
                self.truncated = true;
                break;
            }
            self.left -= 1;
            let mut node = json!({ "name": entry.name, "type": entry.kind });
            if entry.kind == "directory" {
                node["children"] = json!([]);
                if depth == TREE_DEPTH_MAX {
                    self.truncated = true;
                } else if let Ok(child) = entry.open_dir() {
                    node["children"] = Value::Array(self.below(&child, &format!("{relative}/"), depth + 1)?);
                }
            }
            nodes.push(node);
        }
        Ok(nodes)
    }
}
