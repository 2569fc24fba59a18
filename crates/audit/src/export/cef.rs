//! An event as a line of CEF (ArcSight Common Event Format, version 0).

use std::fmt::Write as _;

use crate::seen::{Seen, value_text};

/// Fields that have a key of CEF's own.
const KEYS: &[(&str, &str)] = &[
    ("act", "action"),
    ("outcome", "outcome"),
    ("suser", "principal"),
    ("reason", "reason"),
    ("requestClientApplication", "client"),
    ("app", "transport"),
];
/// Fields under the keys that CEF leaves to each product, with what they are called there.
const CUSTOM: &[(&str, &str, &str)] = &[
    ("cs1", "server", "server"),
    ("cs2", "resource", "name"),
    ("cs3", "trace_id", "trace_id"),
    ("cs4", "arguments_sha256", "arguments_sha256"),
    ("cs5", "policies", "policies"),
    ("cs6", "principal_kind", "principal_kind"),
    ("cn1", "duration_us", "duration_us"),
];

/// An event as a line of CEF, without a line feed.
#[must_use]
pub fn cef(event: &Seen) -> String {
    let text = |name| event.text(name).unwrap_or("unknown");
    let (kind, action) = (text("kind"), text("action"));
    let severity = match text("outcome") {
        "denied" => 6,
        "failed" => 5,
        _ => 2,
    };
    let version = env!("CARGO_PKG_VERSION");
    let mut line =
        format!("CEF:0|Omni|Omni MCP Hub|{version}|{}|{} {}|{severity}|", head(kind), head(kind), head(action));
    let _ = write!(line, "rt={} externalId={}", event.time_us.div_euclid(1000), event.id());
    for (key, name) in KEYS {
        if let Some(value) = event.value(name) {
            let _ = write!(line, " {key}={}", extension(&value_text(value)));
        }
    }
    if let Some(address) = event.text("address") {
        // `src` is for IPv4 alone.
        let key = if address.contains(':') { "c6a2Label=Source IPv6 Address c6a2" } else { "src" };
        let _ = write!(line, " {key}={}", extension(address));
    }
    for (key, label, name) in CUSTOM {
        if let Some(value) = event.value(name) {
            let _ = write!(line, " {key}Label={label} {key}={}", extension(&value_text(value)));
        }
    }
    line
}

/// Text of the header: a bar ends a field there, and a line has one line.
fn head(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(|c: char| c.is_control(), " ")
}

/// Text of the extension: an equals sign begins a value there. Other control characters than line feeds have no form.
fn extension(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => safe.push_str("\\\\"),
            '=' => safe.push_str("\\="),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
