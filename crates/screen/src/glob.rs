//! Patterns over `server:name` with `*` and `?`, as the policy writes them.

use regex::Regex;

/// A pattern over the names of servers and what they offer.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    server: Regex,
    name: Regex,
}

impl Glob {
    /// Reads `server:name`; `server` alone means all of it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (server, name) = text.split_once(':').or_else(|| text.split_once("__")).unwrap_or((text, "*"));
        if server.is_empty() || name.is_empty() {
            return Err("is written `server:name`, or `server` for all of a server".to_owned());
        }
        Ok(Self { server: star(server)?, name: star(name)? })
    }

    pub(crate) fn matches(&self, server: &str, name: &str) -> bool {
        self.server.is_match(server) && self.name.is_match(name)
    }
}

fn star(text: &str) -> Result<Regex, String> {
    let mut pattern = String::from("(?s)^");
    for part in text.split_inclusive(['*', '?']) {
        let (plain, wild) = match part.char_indices().last() {
            Some((at, '*')) => (&part[..at], ".*"),
            Some((at, '?')) => (&part[..at], "."),
            _ => (part, ""),
        };
        pattern.push_str(&regex::escape(plain));
        pattern.push_str(wild);
    }
    pattern.push('$');
    crate::linear::linear(&pattern)
}

/// Reads a list of patterns; what is wrong with which.
pub(crate) fn parse_all(texts: &[String]) -> Result<Vec<Glob>, (usize, String)> {
    texts.iter().enumerate().map(|(at, text)| Glob::parse(text).map_err(|why| (at, why))).collect()
}

/// Whether one of `globs` matches.
pub(crate) fn any(globs: &[Glob], server: &str, name: &str) -> bool {
    globs.iter().any(|glob| glob.matches(server, name))
}
