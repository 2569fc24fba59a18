//! Addresses of e-mail, as people write them.

use crate::detect::kind::{Finding, Kind};

/// Ends of names that are files, not domains.
const FILES: &[&str] =
    &["png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "md", "rs", "py", "html"];

/// Adds the addresses in `text`.
pub(super) fn find(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| memchr::memchr(b'@', rest)).map(|at| from + at) {
        from = at + 1;
        let local = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte) || byte >= 0x80;
        let domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') || byte >= 0x80;
        let mut start = (0..at).rev().take(64).take_while(|at| local(bytes[*at])).last().unwrap_or(at);
        let mut end =
            (at + 1..bytes.len()).take(253).take_while(|at| domain(bytes[*at])).last().map_or(at, |last| last + 1);
        while end > at + 1 && matches!(bytes[end - 1], b'.' | b'-') {
            end -= 1;
        }
        while start < at && b"'*`={|}~.!?/&".contains(&bytes[start]) {
            start += 1;
        }
        if start < at && is_address(text, start, at, end) {
            found.push(Finding { range: start..end, kind: Kind::Email, label: "e-mail address" });
            from = end;
        }
    }
}

fn is_address(text: &str, start: usize, at: usize, end: usize) -> bool {
    let (Some(local), Some(domain)) = (text.get(start..at), text.get(at + 1..end)) else { return false };
    let Some((host, top)) = domain.rsplit_once('.') else { return false };
    let bytes = text.as_bytes();
    // `git@host:path`, `scheme://user@host`, `user:password@host` and `@scope/package` are no addresses.
    let of_program =
        local == "git" || bytes.get(end) == Some(&b':') && bytes.get(end + 1).is_some_and(|b| !b.is_ascii_whitespace());
    let in_url =
        local.contains("//") || start.checked_sub(1).is_some_and(|before| matches!(bytes[before], b':' | b'/' | b'@'));
    let in_url = in_url && !text[..start].ends_with("mailto:") && !text[..start].ends_with(' ');
    let labels = host.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    !of_program
        && !in_url
        && labels
        && !local.contains("..")
        && top.len() >= 2
        && top.chars().all(char::is_alphabetic)
        && !FILES.contains(&top.to_ascii_lowercase().as_str())
}
