//! Secrets written out in an entry, found by the names and looks of values; only the keys are ever shown.

use crate::config::ServerSettings;

/// Parts of names whose values are secrets, in lower case.
const NAMES: [&str; 12] = [
    "token",
    "secret",
    "password",
    "passwd",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "private_key",
    "credential",
    "authorization",
    "cookie",
];

/// How well-known kinds of secrets begin.
const PREFIXES: [&str; 14] = [
    "sk-",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "AIza",
    "Bearer ",
    "Basic ",
    "eyJ",
    "-----BEGIN",
];

/// The keys (`env.NAME`, `headers.NAME`, `args.N`, `url`) whose values look like secrets written out.
pub(crate) fn literal(server: &ServerSettings) -> Vec<String> {
    let env = server.env.iter().map(|(name, value)| ("env", name, value));
    let headers = server.headers.iter().map(|(name, value)| ("headers", name, value));
    let mut keys: Vec<String> = env
        .chain(headers)
        .filter(|(_, name, value)| is_literal(name, value))
        .map(|(kind, name, _)| format!("{kind}.{name}"))
        .collect();
    let secret = (0..server.args.len()).filter(|index| is_secret_argument(&server.args, *index));
    keys.extend(secret.map(|index| format!("args.{index}")));
    let query = server.url.as_deref().and_then(|url| url.split_once('?')).map(|(_, query)| query).unwrap_or_default();
    if query.split('&').filter_map(|pair| pair.split_once('=')).any(|(name, value)| is_literal(name, value)) {
        keys.push("url".to_owned());
    }
    keys
}

/// Whether an argument looks like a secret: by itself, as `--token=…`, or after an option `--token`.
pub(crate) fn is_secret_argument(args: &[String], index: usize) -> bool {
    let Some(argument) = args.get(index) else { return false };
    let (name, value) = match argument.split_once('=') {
        Some((name, value)) if name.starts_with('-') || !name.contains(['/', ':']) => (name, value),
        _ if argument.starts_with('-') => return false,
        _ => ("", argument.as_str()),
    };
    let option = index.checked_sub(1).and_then(|before| args.get(before)).filter(|before| before.starts_with('-'));
    let name = if name.is_empty() { option.map_or("", String::as_str) } else { name };
    is_literal(name.trim_start_matches('-'), value)
}

fn is_literal(name: &str, value: &str) -> bool {
    if value.is_empty() || omni_secrets::Template::parse(value).is_ok_and(|text| text.references().next().is_some()) {
        return false;
    }
    let name = name.to_lowercase();
    // A name like TOKEN_FILE or SECRET_PATH says where the secret is, which is none.
    let elsewhere = ["_file", "_path", "_url", "_name"].iter().any(|end| name.ends_with(end));
    let named = NAMES.iter().any(|part| name.contains(part)) || name.ends_with("_key") || name.ends_with("_pat");
    (named && !elsewhere) || PREFIXES.iter().any(|prefix| value.starts_with(prefix)) || has_password(value)
}

/// A line of a client's file with what looks like a secret left out, for showing it on a screen.
pub(crate) fn masked(line: &str) -> String {
    let mut shown = String::new();
    let (mut rest, mut name) = (line, String::new());
    while let Some(start) = rest.find('"') {
        let length = string_length(&rest[start..]);
        let end = start + length;
        let inner = rest[start + 1..end].trim_end_matches('"');
        let is_name = rest[end..].trim_start().starts_with(':');
        let secret = !is_name && is_literal(&name, inner);
        shown.push_str(&rest[..start]);
        shown.push_str(if secret { "\"(not shown)\"" } else { &rest[start..end] });
        name = if is_name { inner.to_owned() } else { String::new() };
        rest = &rest[end..];
    }
    shown + rest
}

/// The bytes of the JSON string at the start of a text, quotes included; up to the end where it is not closed.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// The part of a value that is the secret: what comes after a scheme of authorization, the password of an address, or all of it.
pub(crate) fn secret_part(value: &str) -> &str {
    let after = ["Bearer ", "Basic "].into_iter().find_map(|scheme| value.strip_prefix(scheme));
    if let Some(after) = after {
        return after.trim();
    }
    if !has_password(value) {
        return value;
    }
    let authority = value.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.split_once(':').map_or(value, |(_, password)| password)
}

/// Whether an address holds a password: `scheme://user:password@host`.
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_3_the_secret_is_told_from_what_stands_around_it() {
        for (value, part) in [
            ("Bearer abc", "abc"),
            ("Basic YTpi", "YTpi"),
            ("postgres://ada:pw@x@host:1/db?a=b@c:d", "pw@x"),
            ("postgres://ada@host/db", "postgres://ada@host/db"),
            ("ghp_x", "ghp_x"),
        ] {
            assert_eq!(secret_part(value), part, "{value}");
        }
    }

    #[test]
    fn secrets_are_told_by_name_and_look() {
        for (name, value, secret) in [
            ("GITHUB_TOKEN", "abc", true),
            ("GITHUB_TOKEN", "${ENV:GITHUB_TOKEN}", false),
            ("Authorization", "Bearer ${ENV:T}", false),
            ("Authorization", "Bearer ${STORE:t}", false),
            ("Authorization", "Bearer abc", true),
            ("OPENAI_API_KEY", "x", true),
            ("ANY", "ghp_0123456789", true),
            ("DATABASE", "postgres://ada:pw@host/db", true),
            ("DATABASE", "postgres://ada@host/db", false),
            ("TOKEN_FILE", "/run/token", false),
            ("PORT", "8080", false),
            ("API_KEY", "", false),
        ] {
            assert_eq!(is_literal(name, value), secret, "{name}={value}");
        }
    }

    #[test]
    fn secrets_in_arguments_and_addresses_are_found() {
        let args = [
            "-y",
            "pkg@1",
            "--api-key",
            "abc",
            "--token=def",
            "TOKEN=x",
            "--header",
            "a",
            "ghp_1",
            "--token",
            "${ENV:T}",
        ];
        let server = ServerSettings {
            args: args.map(str::to_owned).to_vec(),
            url: Some("https://h/mcp?x=1&api_key=abc".to_owned()),
            ..ServerSettings::default()
        };
        assert_eq!(literal(&server), ["args.3", "args.4", "args.5", "args.8", "url"]);
    }

    #[test]
    fn lines_are_shown_without_secrets() {
        for (line, shown) in [
            (r#"  "GITHUB_TOKEN": "abc","#, r#"  "GITHUB_TOKEN": "(not shown)","#),
            (r#"{"a": {"API_KEY": "x\"y"}, "b": "c"}"#, r#"{"a": {"API_KEY": "(not shown)"}, "b": "c"}"#),
            (r#"  "args": ["--token", "sk-abc", "plain"]"#, r#"  "args": ["--token", "(not shown)", "plain"]"#),
            (r#"  "token": {"url": "http://h"}"#, r#"  "token": {"url": "http://h"}"#),
            (r#"  "TOKEN": "not closed"#, r#"  "TOKEN": "(not shown)""#),
            ("plain", "plain"),
        ] {
            assert_eq!(masked(line), shown, "{line}");
        }
    }
}
