//! Tools that read the contents of files.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cap_std::fs::File;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::filesystem::limits::READ_BYTES_MAX;
use crate::filesystem::roots::{Place, Roots};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Files of one `read_multiple_files`.
const FILES_MAX: usize = 100;

pub(crate) fn tools(roots: &Arc<Roots>) -> Vec<Tool> {
    let limit = READ_BYTES_MAX / (1024 * 1024);
    vec![
        Signature::new(
            "read_text_file",
            Hints::READS,
            format!(
                "Reads a UTF-8 text file, at most {limit} MiB. 'head' gives only the first N lines, 'tail' only the last N; \
                 these two also work on larger files."
            ),
        )
        .blocking(roots, read_text_file),
        Signature::new("read_file", Hints::READS, "Deprecated name of read_text_file; does the same.")
            .blocking(roots, read_text_file),
        Signature::new(
            "read_media_file",
            Hints::READS,
            format!(
                "Reads a file of any kind, at most {limit} MiB, as base64: images and audio as such, everything else as \
                 an embedded resource."
            ),
        )
        .blocking(roots, read_media_file),
        Signature::new(
            "read_multiple_files",
            Hints::READS,
            format!(
                "Reads up to {FILES_MAX} UTF-8 text files at once, at most {limit} MiB in all. A file that cannot be read \
                 is reported in its place and does not stop the others."
            ),
        )
        .blocking(roots, read_multiple_files),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadText {
    /// File to read.
    path: String,
    /// Only the first N lines.
    head: Option<u32>,
    /// Only the last N lines.
    tail: Option<u32>,
}

fn read_text_file(roots: &Roots, arguments: ReadText, _: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    match (arguments.head, arguments.tail) {
        (Some(_), Some(_)) => Err(Failure::new("give 'head' or 'tail', not both")),
        (Some(lines), None) => head(&place, lines),
        (None, Some(lines)) => tail(&place, lines),
        (None, None) => Ok(Outcome::text(text_of(&place, READ_BYTES_MAX)?)),
    }
}

/// The whole of a text file of at most `bytes_max`.
pub(crate) fn text_of(place: &Place<'_>, bytes_max: u64) -> Result<String, Failure> {
    let bytes = bytes_of(place, bytes_max, "read parts of it with 'head' or 'tail' of read_text_file")?;
    String::from_utf8(bytes).map_err(|_| not_text(place))
}

fn not_text(place: &Place<'_>) -> Failure {
    Failure::new(format!("{} is not UTF-8 text; read_media_file gives its bytes", place.shown.display()))
}

fn bytes_of(place: &Place<'_>, bytes_max: u64, advice: &str) -> Result<Vec<u8>, Failure> {
    let (file, metadata) = place.open_file()?;
    let too_large = || {
        let size = metadata.len();
        Failure::new(format!("{} has {size} bytes; at most {bytes_max} are read: {advice}", place.shown.display()))
    };
    if metadata.len() > bytes_max {
        return Err(too_large());
    }
    // The size is what it was a moment ago, and files of the kernel's own say 0: only the reading is bounded.
    let bytes = read_up_to(place, file, bytes_max + 1)?;
    if bytes.len() as u64 > bytes_max { Err(too_large()) } else { Ok(bytes) }
}

fn read_up_to(place: &Place<'_>, file: File, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).map_err(|error| place.failure("cannot read", &error))?;
    Ok(bytes)
}

fn head(place: &Place<'_>, lines: u32) -> Answer {
    let (file, metadata) = place.open_file()?;
    let mut bytes = read_up_to(place, file, READ_BYTES_MAX)?;
    let whole = bytes.len() as u64 >= metadata.len();
    let end = line_end(&bytes, lines);
    if let Some(end) = end {
        bytes.truncate(end);
    } else if !whole {
        // Not even the bound holds that many lines: stop at the last whole one.
        let last = memchr::memrchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        bytes.truncate(last);
    }
    let text = String::from_utf8(bytes).map_err(|_| not_text(place))?;
    Ok(noted(text, end.is_none() && !whole))
}

/// The end of the first `lines` lines, where there are as many.
fn line_end(bytes: &[u8], lines: u32) -> Option<usize> {
    match lines {
        0 => Some(0),
        lines => memchr::memchr_iter(b'\n', bytes).nth(lines as usize - 1).map(|at| at + 1),
    }
}

fn tail(place: &Place<'_>, lines: u32) -> Answer {
    let (mut file, metadata) = place.open_file()?;
    let start = metadata.len().saturating_sub(READ_BYTES_MAX);
    file.seek(SeekFrom::Start(start)).map_err(|error| place.failure("cannot read", &error))?;
    let bytes = read_up_to(place, file, READ_BYTES_MAX)?;
    // A newline at the very end closes the last line and opens none.
    let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let breaks = memchr::memrchr_iter(b'\n', body);
    let from = match lines {
        0 => Some(bytes.len()),
        lines => breaks.clone().nth(lines as usize - 1).map(|at| at + 1),
    };
    let whole_lines = if start == 0 { 0 } else { memchr::memchr(b'\n', &bytes).map_or(0, |at| at + 1) };
    let text = bytes[from.unwrap_or(whole_lines)..].to_vec();
    let text = String::from_utf8(text).map_err(|_| not_text(place))?;
    Ok(noted(text, from.is_none() && start > 0))
}

fn noted(text: String, cut: bool) -> Outcome {
    let mut outcome = Outcome::text(text);
    if cut {
        let note = format!("(cut: the file has more lines than fit into {READ_BYTES_MAX} bytes)");
        outcome.content.push(json!({ "type": "text", "text": note }));
    }
    outcome
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadMedia {
    /// File to read.
    path: String,
}

fn read_media_file(roots: &Roots, arguments: ReadMedia, _: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    let data = STANDARD.encode(bytes_of(&place, READ_BYTES_MAX, "it is too large to be sent")?);
    let mime = mime_of(&place.shown);
    let block = match mime.split('/').next() {
        Some(kind @ ("image" | "audio")) => json!({ "type": kind, "data": data, "mimeType": mime }),
        _ => {
            let resource = json!({ "uri": file_uri(&place.shown), "mimeType": mime, "blob": data });
            json!({ "type": "resource", "resource": resource })
        }
    };
    Ok(Outcome { content: vec![block], structured: None })
}

/// The media type by the name's ending.
fn mime_of(path: &Path) -> &'static str {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref().unwrap_or_default() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "avif" => "image/avif",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" | "oga" => "audio/ogg",
        "flac" => "audio/flac",
        "m4a" => "audio/mp4",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "zip" => "application/zip",
        "txt" | "md" | "csv" => "text/plain",
        "html" | "htm" => "text/html",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

/// A `file:` URI; every byte that is not plainly allowed in a path is written in hex (RFC 3986).
pub(crate) fn file_uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadMultiple {
    /// Files to read.
    #[schemars(length(min = 1, max = 100))]
    paths: Vec<String>,
}

fn read_multiple_files(roots: &Roots, arguments: ReadMultiple, cancel: &Cancel) -> Answer {
    if arguments.paths.is_empty() || arguments.paths.len() > FILES_MAX {
        return Err(Failure::new(format!("'paths' must name 1 to {FILES_MAX} files")));
    }
    let mut left = READ_BYTES_MAX;
    let mut parts = Vec::new();
    for path in &arguments.paths {
        cancel.check()?;
        let part = match roots.locate(path).and_then(|place| text_of(&place, left)) {
            Ok(text) => {
                left -= text.len() as u64;
                format!("{path}:\n{text}\n")
            }
            Err(Failure(reason)) => format!("{path}: Error - {reason}"),
        };
        parts.push(part);
    }
    Ok(Outcome::text(parts.join("\n---\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_uri_escapes_what_a_uri_may_not_hold() {
        assert_eq!(file_uri(Path::new("/a b/ü#?.txt")), "file:///a%20b/%C3%BC%23%3F.txt");
    }

    #[test]
    fn the_end_of_lines_is_found() {
        assert_eq!(line_end(b"a\nb\nc", 2), Some(4));
        assert_eq!(line_end(b"a\nb\nc", 0), Some(0));
        assert_eq!(line_end(b"a\nb\nc", 3), None);
    }
}
