//! Relative links in the Markdown files lead to files that exist.

use crate::{Finding, House};
use std::collections::BTreeSet;

/// Links and pictures whose file is not in the repository.
#[must_use]
pub fn check(house: &House) -> Vec<Finding> {
    let mut known: BTreeSet<&str> = house.tree.paths.iter().map(String::as_str).collect();
    for path in &house.tree.paths {
        known.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    let mut findings = Vec::new();
    for source in house.tree.sources.iter().filter(|source| source.path.ends_with(".md")) {
        let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut in_code = false;
        for (index, line) in source.text.lines().enumerate() {
            in_code ^= line.trim_start().starts_with("```");
            for target in targets(line).into_iter().filter(|_| !in_code) {
                match resolve(folder, target) {
                    Some(path) if path.is_empty() || known.contains(path.as_str()) => {}
                    _ => findings.push(Finding::new(
                        &source.path,
                        index + 1,
                        format!("the link to `{target}` leads nowhere"),
                    )),
                }
            }
        }
    }
    findings
}

/// The relative targets in a line: `](target)`, `src="target"`, `href="target"`.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (open, close) in [("](", [')', ' ']), ("src=\"", ['"', '"']), ("href=\"", ['"', '"'])] {
        for (at, _) in line.match_indices(open) {
            let rest = &line[at + open.len()..];
            let target = rest.split(close).next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !elsewhere {
                found.push(target);
            }
        }
    }
    found
}

/// The path from the root of the repository; nothing for one that leaves it.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.retain(|part| !part.is_empty());
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        let files = [(path, text), ("docs/HERE.md", ""), ("docs/plot.svg", "")];
        check(&House::sample(&files)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "[a](docs/HERE.md#part) ![b](./docs/plot.svg) [c](docs/) [d](#here) [e](https://example.org/x)\n";
        assert_eq!(found("README.md", text), [0; 0]);
        assert_eq!(
            found("docs/OTHER.md", "[a](HERE.md) <img src=\"plot.svg\"> [b](../docs/HERE.md \"title\") [c](..)\n"),
            [0; 0]
        );
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text =
            "[a](docs/GONE.md)\n<img src=\"plot.svg\">\n[b](../outside.md)\n```\n[c](code.md)\n```\n[d](HERE.md)\n";
        assert_eq!(found("README.md", text), [1, 2, 3, 7]);
    }
}
