//! One member of a JSON text set or taken out; the result is read again and compared with what was wanted.

use serde_json::{Map, Value};

use crate::cli::jsonc::parse::{Json, Member, is_blank, parse};

/// The text with the member `path` set; objects on the way are made.
pub(crate) fn set(text: &str, path: &[&str], value: &Value) -> Result<String, String> {
    let style = Style::of(text);
    if is_blank(text) {
        let bom = if text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
        return Ok(format!("{bom}{}{}", style.render(&nested(path, value), ""), style.eol));
    }
    let root = parse(text)?;
    let edited = set_in(text, &root, path, value, &style)?;
    let mut wanted = root.plain();
    let mut slot = &mut wanted;
    for step in path {
        slot = slot
            .as_object_mut()
            .ok_or("not an object")?
            .entry((*step).to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
    }
    *slot = value.clone();
    verified(edited, &wanted)
}

/// The text without the member `path`; unchanged when it is not there.
pub(crate) fn unset(text: &str, path: &[&str]) -> Result<String, String> {
    if is_blank(text) {
        return Ok(text.to_owned());
    }
    let root = parse(text)?;
    let Some((name, way)) = path.split_last() else { return Ok(text.to_owned()) };
    let mut object = &root;
    let mut wanted = root.plain();
    let mut slot = &mut wanted;
    for step in way {
        let Some(member) = object.member(step) else { return Ok(text.to_owned()) };
        object = &member.value;
        slot = &mut slot[*step];
    }
    let Some(position) = object.members().and_then(|members| members.iter().rposition(|member| member.key == *name))
    else {
        return Ok(text.to_owned());
    };
    if let Some(map) = slot.as_object_mut() {
        map.shift_remove(*name);
    }
    verified(without(text, object, position), &wanted)
}

fn verified(edited: String, wanted: &Value) -> Result<String, String> {
    let reread = parse(&edited).map(|json| json.plain());
    if reread.as_ref() == Ok(wanted) {
        Ok(edited)
    } else {
        Err("the file is written in a way that cannot be edited without risk".to_owned())
    }
}

fn set_in(text: &str, root: &Json, path: &[&str], value: &Value, style: &Style) -> Result<String, String> {
    let mut object = root;
    for (depth, step) in path.iter().enumerate() {
        if object.members().is_none() {
            let name = if depth == 0 { "the file".to_owned() } else { format!("`{}`", path[..depth].join(".")) };
            return Err(format!("{name} is not an object (`{{ … }}`)"));
        }
        let Some(member) = object.member(step) else {
            return Ok(inserted(text, object, step, &nested(&path[depth + 1..], value), style));
        };
        if depth + 1 == path.len() {
            let indent = indent_at(text, member.key_span.start);
            let rendered = style.render(value, indent);
            return Ok(spliced(text, member.value.span.start, member.value.span.end, &rendered));
        }
        object = &member.value;
    }
    Err("no member is named".to_owned())
}

fn inserted(text: &str, object: &Json, key: &str, value: &Value, style: &Style) -> String {
    let members = object.members().unwrap_or_default();
    let key = Value::String(key.to_owned());
    let Some(last) = members.last() else {
        let outer = indent_at(text, object.span.start);
        let inner = format!("{outer}{}", style.unit);
        let (start, end) = (object.span.start + 1, object.span.end - 1);
        let member = format!("{}{inner}{key}: {}", style.eol, style.render(value, &inner));
        // Comments inside an empty object stay behind the new member.
        return if is_blank(&text[start..end]) {
            spliced(text, start, end, &format!("{member}{}{outer}", style.eol))
        } else {
            spliced(text, start, start, &member)
        };
    };
    let after = last.value.span.end;
    let (comma, line_end) = tail(text, after);
    if starts_line(text, last.key_span.start) && line_end.is_some_and(|end| end < object.span.end) {
        let inner = indent_at(text, last.key_span.start);
        let end = line_end.unwrap_or(after);
        let member = format!("{}{inner}{key}: {}", style.eol, style.render(value, inner));
        let with_member = spliced(text, end, end, &member);
        return if comma.is_some() { with_member } else { spliced(&with_member, after, after, ",") };
    }
    let at = comma.map_or(after, |comma| comma + 1);
    let comma = if comma.is_some() { " " } else { ", " };
    spliced(text, at, at, &format!("{comma}{key}: {value}"))
}

/// Behind a value: where its comma is, and where its line ends if nothing but that comma and comments come before.
fn tail(text: &str, from: usize) -> (Option<usize>, Option<usize>) {
    let (mut at, mut comma) = (from, None);
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("\r\n") || rest.starts_with('\n') {
            return (comma, Some(at));
        } else if rest.starts_with(',') && comma.is_none() {
            comma = Some(at);
            at += 1;
        } else if rest.starts_with([' ', '\t']) {
            at += 1;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            // The line break of CRLF belongs to the line end, not to the comment.
            at -= usize::from(text[..at].ends_with('\r'));
        } else if let Some(end) = rest.strip_prefix("/*").and_then(|inner| inner.find("*/")) {
            if rest[..end].contains('\n') && comma.is_some() {
                return (comma, None);
            }
            at += end + 4;
        } else {
            return (comma, None);
        }
    }
    (comma, None)
}

fn without(text: &str, object: &Json, position: usize) -> String {
    let members = object.members().unwrap_or_default();
    let member = &members[position];
    let (mut start, mut end) = (member.key_span.start, member.value.span.end);
    let bytes = text.as_bytes();
    let comma = comma_after(text, end);
    if let Some(comma) = comma {
        end = comma + 1;
    }
    let skip_blanks = |mut at: usize| {
        while bytes.get(at).is_some_and(|byte| *byte == b' ' || *byte == b'\t') {
            at += 1;
        }
        at
    };
    let after = skip_blanks(end);
    if starts_line(text, start) {
        start -= indent_at(text, start).len();
        if text[after..].starts_with("\r\n") {
            end = after + 2;
        } else if text[after..].starts_with('\n') {
            end = after + 1;
        }
    } else {
        end = after;
    }
    let mut edited = spliced(text, start, end, "");
    // The comma before the last member would be left dangling.
    if let (None, Some(before)) = (comma, position.checked_sub(1).map(|index| &members[index]))
        && let Some(comma) = comma_after(text, before.value.span.end)
    {
        edited.remove(comma);
    }
    collapse(edited, object, members.len() == 1)
}

/// The comma behind a value, past blanks and comments.
fn comma_after(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(rest) = text.get(at..) {
        if rest.starts_with(',') {
            return Some(at);
        } else if rest.starts_with([' ', '\t', '\r', '\n']) {
            at += 1;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(end) = rest.strip_prefix("/*").and_then(|inner| inner.find("*/")) {
            at += end + 4;
        } else {
            break;
        }
    }
    None
}

/// An object that has become empty is written `{}`.
fn collapse(edited: String, object: &Json, empty: bool) -> String {
    if !empty {
        return edited;
    }
    let start = object.span.start + 1;
    let Some(close) = edited[start..].find('}').map(|at| start + at) else { return edited };
    if is_blank(&edited[start..close]) { spliced(&edited, start, close, "") } else { edited }
}

fn nested(path: &[&str], value: &Value) -> Value {
    path.iter().rev().fold(value.clone(), |inner, step| serde_json::json!({ *step: inner }))
}

fn spliced(text: &str, start: usize, end: usize, new: &str) -> String {
    format!("{}{new}{}", &text[..start], &text[end..])
}

/// The blanks at the start of the line that `at` is in.
fn indent_at(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..at].trim_start_matches('\u{feff}');
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Whether nothing but blanks stands before `at` in its line.
fn starts_line(text: &str, at: usize) -> bool {
    text[..at]
        .rfind('\n')
        .is_some_and(|newline| text[newline + 1..at].bytes().all(|byte| byte == b' ' || byte == b'\t'))
}

/// How the file is written.
struct Style {
    unit: String,
    eol: &'static str,
}

impl Style {
    fn of(text: &str) -> Self {
        let eol = if text.find('\n').is_some_and(|at| text[..at].ends_with('\r')) { "\r\n" } else { "\n" };
        let first = |json: Json| {
            let Member { key_span, .. } = json.members()?.first()?;
            Some(indent_at(text, key_span.start).to_owned()).filter(|_| starts_line(text, key_span.start))
        };
        let unit = parse(text).ok().and_then(first).filter(|unit| !unit.is_empty());
        Self { unit: unit.unwrap_or_else(|| "  ".to_owned()), eol }
    }

    /// The value over several lines, all but the first indented.
    fn render(&self, value: &Value, indent: &str) -> String {
        match value {
            Value::Object(map) if !map.is_empty() => {
                let inner = format!("{indent}{}", self.unit);
                let members: Vec<String> = map
                    .iter()
                    .map(|(key, value)| {
                        format!("{inner}{}: {}", Value::String(key.clone()), self.render(value, &inner))
                    })
                    .collect();
                format!("{{{}{}{}{indent}}}", self.eol, members.join(&format!(",{}", self.eol)), self.eol)
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.render(item, indent)).collect();
                format!("[{}]", items.join(", "))
            }
            other => other.to_string(),
        }
    }
}
