//! What the hub serves where there is no configuration: its built-in servers over the current directory, read-only.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::cli::context::Context;
use crate::config::{self, Config, Settings};
use omni_proxy::settings::{BuiltinSettings, ServerSettings};

/// Files that are taken for SQLite databases.
const DATABASE_ENDINGS: [&str; 3] = ["db", "sqlite", "sqlite3"];
/// Names looked at in the current directory.
const ENTRIES_MAX: usize = 1_000;

/// The configuration that was asked for, or found, or else the built-in one; and the file it came from.
pub(crate) fn configuration(context: &Context) -> Result<(Settings, Option<PathBuf>)> {
    match config::discover(context.config.as_deref(), &context.around) {
        Some(path) => {
            let Config { mut settings, warnings, .. } =
                config::load(&path, &context.around).map_err(|errors| anyhow!("{errors}"))?;
            if !warnings.problems.is_empty() {
                crate::cli::say::say_err!("{warnings}");
            }
            run_beside(&mut settings, &path);
            Ok((settings, Some(path)))
        }
        None => Ok((built_in(&context.around.cwd), None)),
    }
}

/// A server whose entry names no working directory runs in the folder of the file, as its relative paths are meant; so
/// are those of certificates.
pub(crate) fn run_beside(settings: &mut Settings, file: &Path) {
    let folder = file.parent().and_then(|folder| folder.canonicalize().ok());
    if let Some(folder) = &folder {
        settings.gateway.tls = settings.gateway.tls.take().map(|tls| tls.beside(folder));
        settings.admin = settings.admin.take().map(|admin| admin.beside(folder));
    }
    for entry in settings.servers.values_mut().filter(|entry| entry.command.is_some() && entry.cwd.is_none()) {
        entry.cwd.clone_from(&folder);
    }
}

fn built_in(cwd: &Path) -> Settings {
    let mut settings = Settings::default();
    let mut add = |name: &str, builtin: BuiltinSettings, description: String| {
        let entry = ServerSettings { builtin: Some(builtin), description: Some(description), ..Default::default() };
        settings.servers.insert(name.to_owned(), entry);
    };
    add(
        "filesystem",
        BuiltinSettings::Filesystem { roots: vec![cwd.to_owned()], write: false },
        format!("files below {}, read-only", cwd.display()),
    );
    if let Some(repository) = cwd.ancestors().find(|folder| folder.join(".git").exists()) {
        add(
            "git",
            BuiltinSettings::Git { repositories: vec![repository.to_owned()], write: false },
            format!("the repository {}, read-only", repository.display()),
        );
    }
    if let Some(database) = first_database(cwd) {
        add(
            "database",
            BuiltinSettings::Database { url: format!("sqlite:{}", database.display()), write: false },
            format!("{}, read-only", database.display()),
        );
    }
    settings
}

fn first_database(cwd: &Path) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(cwd)
        .ok()?
        .take(ENTRIES_MAX)
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| DATABASE_ENDINGS.iter().any(|d| e == *d)) && path.is_file())
        .collect();
    found.sort();
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::built_in;

    #[test]
    fn gw_3_the_first_run_needs_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(built_in(folder.path()).servers.keys().collect::<Vec<_>>(), ["filesystem"]);
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        std::fs::write(folder.path().join("b.db"), "").unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        assert_eq!(built_in(folder.path()).servers.keys().collect::<Vec<_>>(), ["filesystem", "git", "database"]);
        assert_eq!(built_in(&inner).servers.keys().collect::<Vec<_>>(), ["filesystem", "git"]);
    }
}
