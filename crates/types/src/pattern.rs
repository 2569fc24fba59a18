//! Patterns of `server:name`, with `*` for any run of characters and `?` for one: the same in policies and in profiles.

use std::fmt;

/// Characters of a pattern.
const LENGTH_MAX: usize = 512;

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    server: String,
    name: String,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Reads `server:name`; `server` alone means `server:*`.
    ///
    /// # Errors
    /// When it is empty or longer than 512 characters.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() || text.len() > LENGTH_MAX {
            return Err(PatternError(format!("a pattern has 1 to {LENGTH_MAX} characters: `server:name`, `*`, `?`")));
        }
        // They are written with the name that people see: `server__tool` means the same.
        let (server, name) = match (text.split_once(':'), text.split_once("__")) {
            (Some((server, name)), _) if !server.contains("__") => (server, name),
            (_, Some((server, name))) => (server, name),
            (Some((server, name)), None) => (server, name),
            (None, None) => (text, "*"),
        };
        Ok(Self { text: text.to_owned(), server: server.to_owned(), name: name.to_owned() })
    }

    /// Whether it covers `name` of `server`. Linear in the length of both.
    #[must_use]
    pub fn matches(&self, server: &str, name: &str) -> bool {
        glob(&self.server, server) && glob(&self.name, name)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pattern of the server's name.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The pattern of what the server offers.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may cover something of `server`.
    #[must_use]
    pub fn matches_server(&self, server: &str) -> bool {
        glob(&self.server, server)
    }

    /// Whether it covers everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.server == "*" && self.name == "*"
    }
}

/// Whether `pattern` covers `text`: `*` is any run of characters, `?` one. Backs up to the last `*` only, so it takes at most
/// pattern length times text length steps and never more memory.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    if pattern.is_ascii() && text.is_ascii() {
        return covers(pattern.as_bytes(), text.as_bytes(), b'*', b'?');
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    covers(&pattern, &text, '*', '?')
}

fn covers<C: Copy + PartialEq>(pattern: &[C], text: &[C], any_run: C, any_one: C) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == any_run {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == any_one || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == any_run)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Pattern;

    #[test]
    fn covers_what_it_says_and_nothing_else() {
        let covers = |pattern: &str, server: &str, name: &str| Pattern::parse(pattern).unwrap().matches(server, name);
        assert!(covers("*", "a", "b"));
        assert!(covers("git", "git", "git_log") && !covers("git", "gitx", "git_log"));
        assert!(covers("git:git_*", "git", "git_log") && !covers("git:git_*", "git", "log"));
        assert!(covers("git__git_log", "git", "git_log"));
        assert!(covers("*:*delete*", "x", "undelete_all") && !covers("*:*delete*", "delete", "x"));
        assert!(covers("a:?", "a", "é") && !covers("a:?", "a", "bb"));
        assert!(covers("res:file:///*", "res", "file:///a/b"));
        assert!(!covers("a:b", "A", "b") && !covers("a:b", "a", "B"));
        assert!(Pattern::parse("").is_err());
    }
}
