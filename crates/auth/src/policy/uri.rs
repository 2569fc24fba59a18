//! One URI, many spellings: what a rule forbids must not be reached by another one.

/// The plain form of `uri`: scheme and host in small letters, no needless escapes, no `.`, `..` or empty segments, no
/// backslashes. It is what a careless server may take `uri` for; policy judges both, and the worse verdict counts.
pub fn plain(uri: &str) -> String {
    let decoded = decode(uri).replace('\\', "/");
    let (scheme, rest) = match decoded.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => (scheme.to_ascii_lowercase() + ":", rest),
        _ => (String::new(), decoded.as_str()),
    };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            (format!("//{}", rest[..end].to_ascii_lowercase()), &rest[end..])
        }
        None => (String::new(), rest),
    };
    let (path, tail) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    // A file is one of this machine's (RFC 8089), and whoever opens it leaves out what stands behind its path.
    let is_file = scheme == "file:";
    let (authority, tail) = match authority.as_str() {
        "" | "//localhost" if is_file => ("//".to_owned(), ""),
        _ => (authority, if is_file { "" } else { tail }),
    };
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let root = if is_file || path.starts_with('/') { "/" } else { "" };
    // RFC 3986, 5.2.4: what ends in a dot segment ends in a slash.
    let ends_open = matches!(path.rsplit('/').next(), Some("" | "." | "..")) && path.contains('/');
    let end = if ends_open && !segments.is_empty() { "/" } else { "" };
    format!("{scheme}{authority}{root}{}{end}{tail}", segments.join("/"))
}

/// Percent-escapes of ASCII that may stand there as it is, and of what servers take for a separator.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let code = escape.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code @ 0x20..=0x7e) if code != b'%' => {
                out.push(char::from(code));
                rest = &escape[3..];
            }
            _ => {
                out.push('%');
                rest = &escape[1..];
            }
        }
    }
    out.push_str(rest);
    debug_assert!(out.len() <= bytes.len());
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn tool_2_one_resource_has_one_plain_form() {
        for spelling in [
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "file:///tmp/../etc/passwd",
            "file:///./etc//passwd",
            "file:///%65tc/passwd",
            "file:///tmp/%2e%2e/etc/passwd",
            "file:///tmp%2F..%2Fetc%2fpasswd",
            "file:///tmp/..\\etc\\passwd",
            "file:///../../etc/passwd",
            // RFC 8089 and the URL parsers of browsers and Node take these for the same file.
            "file://localhost/etc/passwd",
            "file://LOCALHOST/tmp/../etc/passwd",
            "file:/etc/passwd",
            "file:etc/passwd",
            "file:////etc/passwd",
            "file:///etc/passwd?",
            "file:///etc/passwd?x=/../y",
            "file:///etc/passwd#x",
        ] {
            assert_eq!(plain(spelling), "file:///etc/passwd", "{spelling}");
        }
        assert_eq!(plain("HTTP://Example.ORG/A/../B?q=../x#y"), "http://example.org/B?q=../x#y");
        assert_eq!(plain("test:a/../b"), "test:b");
        assert_eq!(plain("FILE:///etc/."), "file:///etc/");
        assert_eq!(plain("a%2"), "a%2");
        assert_eq!(plain("x:/%C3%A9%25/"), "x:/%C3%A9%25/");
        assert_eq!(plain("test://static-binary"), "test://static-binary");
        assert_eq!(plain("file:///a/{name}"), "file:///a/{name}");
    }
}
