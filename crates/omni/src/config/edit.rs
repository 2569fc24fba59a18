//! `omni.yaml` edited as text, so that comments and formatting stay: the entry is put in or taken out, and what then is read is compared
//! with what was wanted.

use crate::config::settings::ServerSettings;
use serde_json::Value as Json;

use crate::config::emit::{self, Manner};
use crate::config::error::Place;
use crate::config::node::{self, Node, Value};

#[cfg(test)]
mod tests;
mod text;

pub(crate) use crate::config::edit::text::with_text;

/// Why a text was not edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EditFault {
    /// There is a server of that name.
    Taken,
    /// There is no server of that name.
    Missing,
    /// The text is not YAML that can be read: what and where.
    Unreadable(String),
    /// The text is written in a way that cannot be edited without risk; what to put in, or `None` to take out, by hand.
    ByHand(Option<String>),
}

/// Line ranges and columns of the `servers` block.
struct Block<'a> {
    lines: Vec<&'a str>,
    eol: &'static str,
}

/// The servers of a text as they are written: names and raw entries, variables not put in.
pub(crate) fn servers(text: &str) -> Result<Vec<(String, Json)>, EditFault> {
    let root = read(text)?;
    let servers = root.entry("servers").map(|(_, servers)| servers.entries()).unwrap_or_default();
    Ok(servers.iter().map(|(key, node)| (key.name.clone(), node.plain())).collect())
}

/// The text with a server's entry put in; `replace` an entry of the same name.
pub(crate) fn add(text: &str, name: &str, server: &ServerSettings, replace: bool) -> Result<String, EditFault> {
    let entry = serde_json::to_value(server).map_err(|error| EditFault::Unreadable(error.to_string()))?;
    let root = read(text)?;
    let present = root.entry("servers").is_some_and(|(_, servers)| servers.entry(name).is_some());
    if present && !replace {
        return Err(EditFault::Taken);
    }
    let block = Block::new(text);
    let edited = if present { block.replaced(&root, name, Some(&entry)) } else { block.appended(&root, name, &entry) };
    let expected = expected(&root, name, Some(&entry));
    edited.filter(|edited| reads_as(edited, &expected)).ok_or_else(|| {
        let manner = Manner { indent: 2, step: 2, eol: "\n" };
        EditFault::ByHand(Some(format!("servers:\n{}", emit::entry(name, &entry, manner))))
    })
}

/// The text with a server's entry taken out.
pub(crate) fn remove(text: &str, name: &str) -> Result<String, EditFault> {
    let root = read(text)?;
    if root.entry("servers").is_none_or(|(_, servers)| servers.entry(name).is_none()) {
        return Err(EditFault::Missing);
    }
    let expected = expected(&root, name, None);
    let edited = Block::new(text).replaced(&root, name, None);
    edited.filter(|edited| reads_as(edited, &expected)).ok_or(EditFault::ByHand(None))
}

fn read(text: &str) -> Result<Node, EditFault> {
    let unreadable = |message: String| EditFault::Unreadable(message);
    let root = node::read(text).map_err(|problem| {
        let place = problem.place.map(|place| format!("line {}: ", place.line)).unwrap_or_default();
        unreadable(format!("{place}{}", problem.message))
    })?;
    if !matches!(root.value, Value::Map(_)) {
        return Err(unreadable(format!("the file wants a map (`key: value`); here is {}", root.kind())));
    }
    match root.entry("servers").map(|(_, servers)| &servers.value) {
        None | Some(Value::Null | Value::Map(_)) => Ok(root),
        Some(_) => Err(unreadable("servers wants a map (`name: …`)".to_owned())),
    }
}

/// What the text must read as after the edit.
fn expected(root: &Node, name: &str, entry: Option<&Json>) -> Json {
    let mut plain = root.plain();
    let servers = &mut plain["servers"];
    if !servers.is_object() {
        *servers = Json::Object(serde_json::Map::new());
    }
    if let Some(servers) = servers.as_object_mut() {
        match entry {
            Some(entry) => drop(servers.insert(name.to_owned(), entry.clone())),
            None => drop(servers.shift_remove(name)),
        }
    }
    plain
}

fn reads_as(text: &str, expected: &Json) -> bool {
    let Ok(root) = node::read(text) else { return false };
    let mut plain = root.plain();
    let Some(map) = plain.as_object_mut() else { return false };
    let servers = map.entry("servers").or_insert(Json::Null);
    if servers.is_null() {
        *servers = Json::Object(serde_json::Map::new());
    }
    plain == *expected
}

impl<'a> Block<'a> {
    fn new(text: &'a str) -> Self {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let eol = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
        Self { lines, eol }
    }

    /// The text with the entry after the last one.
    fn appended(&self, root: &Node, name: &str, entry: &Json) -> Option<String> {
        let Some((key, servers)) = root.entry("servers") else {
            let entry = emit::entry(name, entry, Manner { indent: 2, step: 2, eol: self.eol });
            return Some(self.spliced(self.lines.len(), self.lines.len(), &format!("servers:{}{entry}", self.eol)));
        };
        let head = key.place.line - 1;
        let Some((first, node)) = servers.entries().first() else {
            let manner = Manner { indent: 2 + indent(self.lines.get(head)?), step: 2, eol: self.eol };
            let line = self.lines.get(head)?;
            // `servers: {}` becomes `servers:`, whatever comment follows it.
            let opened = if line.contains("{}") {
                line.replacen(" {}", "", 1).replacen("{}", "", 1)
            } else {
                (*line).to_owned()
            };
            let opened = if opened.ends_with('\n') { opened } else { format!("{opened}{}", self.eol) };
            return Some(self.spliced(head, head + 1, &format!("{opened}{}", emit::entry(name, entry, manner))));
        };
        let indent = self.own_line(first.place.line - 1, first.place.column)?;
        let manner = Manner { indent, step: step(first.place, node), eol: self.eol };
        let end = self.end(root, head, indent);
        Some(self.spliced(end, end, &emit::entry(name, entry, manner)))
    }

    /// The text with the lines of an entry replaced or, without a new one, taken out.
    fn replaced(&self, root: &Node, name: &str, entry: Option<&Json>) -> Option<String> {
        let (head, servers) = root.entry("servers")?;
        let entries = servers.entries();
        let at = entries.iter().position(|(key, _)| key.name == name)?;
        let (key, node) = &entries[at];
        let start = key.place.line - 1;
        let indent = self.own_line(start, key.place.column)?;
        let limit = match entries.get(at + 1) {
            Some((next, _)) => next.place.line - 1,
            None => self.end(root, head.place.line - 1, indent),
        };
        let end = self.trimmed(start + 1, limit, indent + 1);
        let manner = Manner { indent, step: step(key.place, node), eol: self.eol };
        let new = entry.map(|entry| emit::entry(name, entry, manner)).unwrap_or_default();
        Some(self.spliced(start, end, &new))
    }

    /// The line after the last one of the `servers` block, whose head is at `head`.
    fn end(&self, root: &Node, head: usize, indent: usize) -> usize {
        let next = root.entries().iter().map(|(key, _)| key.place.line - 1).filter(|line| *line > head).min();
        self.trimmed(head + 1, next.unwrap_or(self.lines.len()), indent)
    }

    /// `limit` moved up over blank lines and over comments that stand further left than `indent`: they belong to what follows.
    fn trimmed(&self, start: usize, limit: usize, least: usize) -> usize {
        let mut end = limit.min(self.lines.len());
        while end > start {
            let line = self.lines[end - 1];
            let text = line.trim();
            if text.is_empty() || (text.starts_with('#') && indent(line) < least) {
                end -= 1;
            } else {
                break;
            }
        }
        end
    }

    /// The indentation of a key if it is the first of its line, as in block style; in flow style lines cannot be edited.
    fn own_line(&self, line: usize, column: usize) -> Option<usize> {
        let found = indent(self.lines.get(line)?);
        (found + 1 == column).then_some(found)
    }

    fn spliced(&self, start: usize, end: usize, new: &str) -> String {
        let mut text = self.lines[..start].concat();
        if !text.is_empty() && !text.ends_with('\n') && !new.is_empty() {
            text.push_str(self.eol);
        }
        text.push_str(new);
        text.push_str(&self.lines[end..].concat());
        text
    }
}

/// How much further the entries of a block stand to the right of its key.
fn step(key: Place, node: &Node) -> usize {
    let below = node.entries().first().map(|(below, _)| below.place).filter(|below| below.line > key.line);
    below.map(|below| below.column.saturating_sub(key.column)).filter(|step| (1..=8).contains(step)).unwrap_or(2)
}

/// Spaces at the start of a line.
fn indent(line: &str) -> usize {
    line.trim_start_matches('\u{feff}').bytes().take_while(|byte| *byte == b' ').count()
}
