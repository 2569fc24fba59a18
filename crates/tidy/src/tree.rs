//! The repository as the checks see it: its packages, from `cargo metadata`, and its text files, from git.

use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files longer than this are not text that a person wrote; they are left out of the checks.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// A package of the workspace.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name in Cargo.toml.
    pub name: String,
    /// Its folder, from the root of the repository.
    pub folder: String,
    /// What it depends on: name, and whether only its tests do.
    pub dependencies: Vec<(String, bool)>,
}

/// A text file of the repository.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// All its text.
    pub text: String,
}

impl Source {
    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is compiled for tests only.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let inside =
            |folder: &str| self.path.starts_with(&format!("{folder}/")) || self.path.contains(&format!("/{folder}/"));
        inside("tests") || inside("benches") || self.path.ends_with("/tests.rs")
    }
}

/// Everything the checks look at.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The packages of the workspace.
    pub packages: Vec<Package>,
    /// Text files that git tracks, or would if they were added.
    pub sources: Vec<Source>,
    /// Every path that git tracks or would, text or not.
    pub paths: Vec<String>,
}

impl Tree {
    /// Reads the repository this crate lies in.
    ///
    /// # Errors
    /// When git or cargo cannot be run here, or a file cannot be read.
    pub fn read() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().with_context(|| format!("the workspace's root {} is gone", root.display()))?;
        let paths = tracked(&root)?;
        let mut sources = Vec::new();
        for path in &paths {
            if let Some(text) = read_text(&root.join(path))? {
                sources.push(Source { path: path.clone(), text });
            }
        }
        Ok(Self { packages: packages(&root)?, sources, paths })
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_rust())
    }

    /// The package a file belongs to.
    #[must_use]
    pub fn package_of(&self, path: &str) -> Option<&Package> {
        self.packages
            .iter()
            .find(|package| path.strip_prefix(&package.folder).is_some_and(|rest| rest.starts_with('/')))
    }

    /// A tree of the given files, for proving a check.
    #[cfg(test)]
    pub(crate) fn sample(files: &[(&str, &str)]) -> Self {
        let source = |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
        let mut tree = Self { sources: files.iter().map(source).collect(), ..Self::default() };
        tree.paths = tree.sources.iter().map(|source| source.path.clone()).collect();
        for path in &tree.paths {
            let Some((folder, _)) = path.split_once("/src/") else { continue };
            if !tree.packages.iter().any(|package| package.folder == folder) {
                let name = format!("omni-{}", folder.rsplit('/').next().unwrap_or(folder));
                tree.packages.push(Package { name, folder: folder.to_owned(), dependencies: Vec::new() });
            }
        }
        tree
    }
}

/// What git tracks and what is new and not ignored, so that a check speaks before the commit and not after it.
fn tracked(root: &Path) -> Result<Vec<String>> {
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(listing).current_dir(root).output().context("cannot run git")?;
    ensure!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8(output.stdout).context("a path in the repository is not UTF-8: rename it")?;
    let mut paths: Vec<String> = text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// The file's text, or nothing for what is no text, too long, or deleted and not yet committed.
fn read_text(path: &PathBuf) -> Result<Option<String>> {
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => bail!("cannot look at {}: {error}", path.display()),
    };
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Ok(None);
    }
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => bail!("cannot read {}: {error}", path.display()),
    };
    Ok(if bytes.contains(&0) { None } else { String::from_utf8(bytes).ok() })
}

/// The workspace's packages as cargo sees them.
fn packages(root: &Path) -> Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata names no packages")? {
        let name = package["name"].as_str().context("a package without a name")?.to_owned();
        let manifest = Path::new(package["manifest_path"].as_str().context("a package without a manifest")?);
        let folder = manifest.parent().context("a manifest without a folder")?;
        let folder = folder.strip_prefix(root).context("a package outside the repository")?.display().to_string();
        let mut dependencies = Vec::new();
        for dependency in package["dependencies"].as_array().context("a package without dependencies")? {
            let used = dependency["name"].as_str().context("a dependency without a name")?.to_owned();
            dependencies.push((used, dependency["kind"].as_str() == Some("dev")));
        }
        packages.push(Package { name, folder, dependencies });
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_real_tree_holds_this_file_and_this_package() {
        let tree = Tree::read().unwrap();
        let here = tree.sources.iter().find(|source| source.path == "crates/tidy/src/tree.rs").expect("this file");
        assert!(here.is_rust() && !here.is_test());
        let package = tree.package_of(&here.path).expect("this package");
        assert_eq!(package.name, "omni-tidy");
        assert!(package.dependencies.contains(&("syn".to_owned(), false)));
    }

    #[test]
    fn test_files_are_told_from_the_others() {
        let source = |path: &str| Source { path: path.to_owned(), text: String::new() };
        assert!(source("crates/a/tests/main.rs").is_test());
        assert!(source("crates/a/src/pool/tests.rs").is_test());
        assert!(source("tests/x.rs").is_test());
        assert!(!source("crates/a/src/contests.rs").is_test());
    }
}
