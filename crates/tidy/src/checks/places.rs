//! No tracked file names a package registry's host or a path of one particular machine.

use crate::{Finding, House, Source};

/// Hosts of registries, in two halves so that this file does not name them either. Which registry, or which mirror of
/// it, a package comes from is the configuration of the machine, not of the project.
const HOSTS: &[(&str, &str)] = &[
    ("index.crates", ".io"),
    ("static.crates", ".io"),
    ("://crates", ".io"),
    ("registry.npmjs", ".org"),
    ("registry.yarnpkg", ".com"),
    ("pypi", ".org"),
    ("files.pythonhosted", ".org"),
    ("deb.debian", ".org"),
    ("security.debian", ".org"),
    ("proxy.golang", ".org"),
];

/// Top folders that are one machine's.
const MACHINE_FOLDERS: &[&str] = &["work", "root", "tmp"];

/// Files that a tool writes and that must name where things come from.
const WRITTEN_BY_TOOLS: &[&str] = &["Cargo.lock"];

/// Lines with such a name in them. `tmp` may stand in tests: they read no file there, they only speak of one.
#[must_use]
pub fn check(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in house.tree.sources.iter().filter(|source| !WRITTEN_BY_TOOLS.contains(&source.path.as_str())) {
        let tests_from = tests_from(source);
        for (index, line) in source.text.lines().enumerate() {
            for (host, end) in HOSTS.iter().filter(|(host, end)| line.contains(&format!("{host}{end}"))) {
                let message =
                    format!("names the registry host {host}{end}: leave where packages come from to the machine");
                findings.push(Finding::new(&source.path, index + 1, message));
            }
            for folder in MACHINE_FOLDERS.iter().filter(|folder| starts_a_path(line, folder)) {
                if !(*folder == "tmp" && index >= tests_from) {
                    let message = format!(
                        "names /{folder}/, a path of one machine: take it from a setting, or use a relative one"
                    );
                    findings.push(Finding::new(&source.path, index + 1, message));
                }
            }
        }
    }
    findings
}

/// The line with which a file's tests begin; tests come last in a file.
fn tests_from(source: &Source) -> usize {
    match source.is_rust() {
        _ if source.is_test() => 0,
        true => source.text.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX),
        false => usize::MAX,
    }
}

/// Whether `/folder/` stands in the line as the beginning of an absolute path and not in the middle of another.
fn starts_a_path(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "_-.~*?$})]>".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&House::sample(&[(path, text)])).len()
    }

    #[test]
    fn every_host_is_found_wherever_it_is_tracked() {
        for (host, end) in HOSTS {
            assert_eq!(found("docs/x.md", &format!("see https://{host}{end}/x\n")), 1, "{host}{end}");
        }
        assert_eq!(found("README.md", "had from crates.io and PyPI\n"), 0, "the name of a registry is no host");
        assert_eq!(found("Cargo.lock", &format!("https://index.crates{}\n", ".io")), 0);
    }

    #[test]
    fn every_folder_of_a_machine_is_found() {
        for folder in MACHINE_FOLDERS {
            for line in
                [format!("let x = \"/{folder}/x\";"), format!("cd /{folder}/main"), format!("file:///{folder}/x")]
            {
                assert_eq!(found("crates/a/src/x.rs", &line), 1, "{line}");
            }
            let relative = format!("a/{folder}/x ./{folder}/y $dir/{folder}/z {{dir}}/{folder}/z");
            assert_eq!(found("crates/a/src/x.rs", &relative), 0);
        }
    }

    #[test]
    fn tests_may_speak_of_the_folder_for_temporary_files_only() {
        let line = |folder: &str| format!("#[cfg(test)]\nmod t {{ const X: &str = \"/{folder}/x\"; }}\n");
        assert_eq!(found("crates/a/src/x.rs", &line("tmp")), 0);
        assert_eq!(found("crates/a/src/x.rs", &line("root")), 1);
        assert_eq!(found("crates/a/tests/x.rs", "\"/tmp/x\""), 0);
    }
}
