//! Patterns over paths, as `.gitignore` writes them.

use omni_types::glob;

/// Whether `pattern` covers the relative path of `steps`: `**` is any number of them. A pattern without `/` is about the
/// last one alone.
pub(crate) fn path(pattern: &str, steps: &[&str]) -> bool {
    if !pattern.contains('/') {
        return steps.last().is_some_and(|last| glob(pattern, last));
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
        Some((first, rest)) => steps.split_first().is_some_and(|(step, more)| glob(first, step) && walk(rest, more)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_types::Pattern;

    use super::path;

    #[test]
    fn cfg_8_patterns_are_those_of_policies() {
        let covers = |pattern: &str, server: &str, name: &str| Pattern::parse(pattern).unwrap().matches(server, name);
        assert!(covers("*", "a", "b") && covers("git", "git", "log") && !covers("git", "gitx", "log"));
        assert!(covers("git:git_*", "git", "git_log") && covers("git__git_log", "git", "git_log"));
        assert!(covers("res:file:///*", "res", "file:///a/b") && !covers("a:b", "A", "b"));
        assert!(Pattern::parse("").is_err() && Pattern::parse(&"x".repeat(513)).is_err());
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
