//! Errors without what is nobody's business outside (row EXB-5): paths of the host, stack traces, keys.

use std::sync::OnceLock;

use regex::Regex;

use crate::detect::{self, Kind};

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 600;

/// Beginnings of paths on a host. A path in a URL or a JSON pointer has another one before it, or none of these.
const PATHS: &str = concat!(
    r#"(?:^|[\s'"`(\[{<=,:])(?P<path>(?:file://)?(?:"#,
    r"/(?:home|root|Users|var|etc|usr|opt|tmp|srv|mnt|proc|run|app|workspace|private|nix|data|lib|build)/[^\s'",
    r#""`)\]}<>,;|]*|~/[^\s'"`)\]}<>,;|]+|[A-Za-z]:\\[^\s'"`)\]}<>,;|]+|\\\\[A-Za-z0-9._-]+\\[^\s'"`)\]}<>,;|]+))"#,
);
/// Lines of stack traces, in the languages that servers are written in.
const TRACES: &str = concat!(
    r"(?m)^(?:\s*at\s+\S.*(?:\(.*\)|:\d+(?::\d+)?)|\s*File \x22.*\x22, line \d+.*|Traceback \(most recent call last\):|",
    r"\s*\d+:\s+(?:0x[0-9a-f]+ - )?\S+::\S+.*|stack backtrace:|goroutine \d+ \[.*\]:|\s+\S+\.go:\d+.*|",
    r"\s*from \S+:\d+:in .*|\s+\.\.\. \d+ more|Caused by: .*|thread '.*' .*panicked at .*)$",
);

fn paths() -> Option<&'static Regex> {
    static ALL: OnceLock<Option<Regex>> = OnceLock::new();
    ALL.get_or_init(|| Regex::new(PATHS).ok()).as_ref()
}

fn traces() -> Option<&'static Regex> {
    static ALL: OnceLock<Option<Regex>> = OnceLock::new();
    ALL.get_or_init(|| Regex::new(TRACES).ok()).as_ref()
}

/// `text` without what must not leave; `None` where it may leave as it is. A path that stands in `asked`, which is what the
/// client wrote itself, is no news to it.
#[must_use]
pub(crate) fn without_leaks(text: &str, asked: &str) -> Option<String> {
    let mut out = text.to_owned();
    let mut changed = false;
    if let Some(traces) = traces()
        && traces.is_match(&out)
    {
        let mut lines: Vec<&str> = Vec::new();
        let mut in_trace = false;
        for line in out.lines() {
            let is_trace = traces.is_match(line);
            // In a Python trace the line of source stands below its place.
            if is_trace || in_trace && line.starts_with("    ") {
                in_trace = true;
                continue;
            }
            in_trace = false;
            if !line.trim().is_empty() {
                lines.push(line);
            }
        }
        (out, changed) = (lines.join(" "), true);
    }
    if let Some(found) = paths() {
        let places: Vec<_> = found
            .captures_iter(&out)
            .filter_map(|capture| capture.name("path"))
            .filter(|path| !asked.contains(path.as_str().trim_end_matches(['.', ':'])))
            .map(|path| path.range())
            .collect();
        changed |= !places.is_empty();
        for range in places.into_iter().rev() {
            out.replace_range(range, "[path]");
        }
    }
    let keys = detect::find(&out, "", &|kind| matches!(kind, Kind::Key | Kind::Unknown | Kind::Card));
    changed |= !keys.is_empty();
    for finding in keys.into_iter().rev() {
        let mask = finding.mask(&out);
        out.replace_range(finding.range, &mask);
    }
    if !changed {
        return None;
    }
    let cut = out.char_indices().nth(REASON_CHARS_MAX).map_or(out.len(), |(at, _)| at);
    out.truncate(cut);
    let reason = out.trim();
    Some(if reason.is_empty() { "the server failed".to_owned() } else { reason.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::without_leaks;

    /// EXB-5: what happened stays, where on whose machine does not.
    #[test]
    fn exb_5_reasons_without_leaks() {
        let cases = [
            ("ENOENT: no such file, open '/home/ann/.ssh/id_rsa'", "ENOENT: no such file, open '[path]'"),
            ("cannot read C:\\Users\\ann\\x.txt", "cannot read [path]"),
            ("failed: /var/lib/app/db.sqlite: disk I/O error", "failed: [path] disk I/O error"),
            ("boom\n    at run (/srv/app/index.js:10:5)\n    at node:internal/main:1:1", "boom"),
            (
                "Traceback (most recent call last):\n  File \"/app/x.py\", line 3, in f\n    return 1/0\nZeroDivisionError: division by zero",
                "ZeroDivisionError: division by zero",
            ),
            (
                "connect to postgres://app:Tr0ub4dor@db/x failed",
                "connect to postgres://app:[password in a URL masked]@db/x failed",
            ),
            ("bad token ghp_16C7e42F292c6912E7710c838347Ae178B4a", "bad token [GitHub token masked]"),
        ];
        for (given, wanted) in cases {
            assert_eq!(without_leaks(given, "").as_deref(), Some(wanted), "{given}");
        }
    }

    #[test]
    fn exb_5_what_says_nothing_of_the_host_stays() {
        for text in [
            "Unknown tool: x",
            "Resource not found: file:///a",
            "params: /properties/home is missing",
            "see https://example.com/home/index.html and https://x.y/etc/z",
            "ratio 3/4, and/or, at noon",
            "Not found at path /query/0",
            "Error: meet me at home",
        ] {
            assert_eq!(without_leaks(text, ""), None, "{text}");
        }
        assert_eq!(without_leaks("no such file: /home/ann/a.txt", r#"{"path":"/home/ann/a.txt"}"#), None);
        assert!(without_leaks("no such file: /home/ann/b.txt", r#"{"path":"/home/ann/a.txt"}"#).is_some());
    }
}
