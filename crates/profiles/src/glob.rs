//! Patterns: over `server:name` as policies write them, and over paths as `.gitignore` does.

/// Characters of a pattern.
const LENGTH_MAX: usize = 512;

/// A pattern over what servers offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    pub(crate) text: String,
    server: String,
    name: String,
}

impl Glob {
    /// Reads `server:name` or `server__name`; `server` alone means all of it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > LENGTH_MAX {
            return Err(format!("a pattern has 1 to {LENGTH_MAX} characters: `server:name`, with `*` and `?`"));
        }
        let (server, name) = match (text.split_once(':'), text.split_once("__")) {
            (Some((server, name)), _) if !server.contains("__") => (server, name),
            (_, Some((server, name))) | (Some((server, name)), None) => (server, name),
            (None, None) => (text, "*"),
        };
        Ok(Self { text: text.to_owned(), server: server.to_owned(), name: name.to_owned() })
    }

    pub(crate) fn matches(&self, server: &str, name: &str) -> bool {
        star(&self.server, server) && star(&self.name, name)
    }

    /// Whether it may match something of `server`.
    pub(crate) fn matches_server(&self, server: &str) -> bool {
        star(&self.server, server)
    }
}

/// `*` for any run of characters, `?` for one. Backs up to the last `*` only: no more steps than pattern times text.
pub(crate) fn star(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            last = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = last {
            last = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether `pattern` covers the relative path of `steps`: `**` is any number of them. A pattern without `/` is about the
/// last one alone.
pub(crate) fn path(pattern: &str, steps: &[&str]) -> bool {
    if !pattern.contains('/') {
        return steps.last().is_some_and(|last| star(pattern, last));
    }
    let wanted: Vec<&str> = pattern.trim_start_matches("./").split('/').filter(|step| !step.is_empty()).collect();
    walk(&wanted, steps)
}

/// As many ways as `**` has in a path, which is at most as deep as is looked.
fn walk(wanted: &[&str], steps: &[&str]) -> bool {
    match wanted.split_first() {
        None => steps.is_empty(),
        Some((&"**", rest)) if rest.first() == Some(&"**") => walk(rest, steps),
        Some((&"**", rest)) => (0..=steps.len()).any(|skipped| walk(rest, &steps[skipped..])),
        Some((first, rest)) => steps.split_first().is_some_and(|(step, more)| star(first, step) && walk(rest, more)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Glob, path};

    #[test]
    fn cfg_8_patterns_are_those_of_policies() {
        let covers = |pattern: &str, server: &str, name: &str| Glob::parse(pattern).unwrap().matches(server, name);
        assert!(covers("*", "a", "b") && covers("git", "git", "log") && !covers("git", "gitx", "log"));
        assert!(covers("git:git_*", "git", "git_log") && covers("git__git_log", "git", "git_log"));
        assert!(covers("res:file:///*", "res", "file:///a/b") && !covers("a:b", "A", "b"));
        assert!(Glob::parse("").is_err() && Glob::parse(&"x".repeat(513)).is_err());
    }

    #[test]
    fn cfg_2_paths_are_covered_step_by_step() {
        for (pattern, steps) in [
            ("*.md", &["a", "b.md"][..]),
            ("**/*.md", &["b.md"]),
            ("**/*.md", &["x", "y", "b.md"]),
            ("team/*.md", &["team", "b.md"]),
            (".git/**", &[".git", "x", "y.md"]),
            ("./a/**", &["a", "b.md"]),
        ] {
            assert!(path(pattern, steps), "{pattern} {steps:?}");
        }
        for (pattern, steps) in [("team/*.md", &["team", "x", "b.md"][..]), ("*.md", &["b.txt"]), ("a/**", &["b", "a"])]
        {
            assert!(!path(pattern, steps), "{pattern} {steps:?}");
        }
    }
}
