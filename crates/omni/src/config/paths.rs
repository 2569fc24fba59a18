//! Relative paths made absolute against the folder of the configuration file, `~/` against the home.

use std::path::{Path, PathBuf};

use crate::config::audit::WitnessSettings;
use crate::config::settings::{BuiltinSettings, ServerSettings, Settings};

/// Makes every path of the settings absolute; `folder` is that of the file and absolute.
pub(crate) fn resolve(settings: &mut Settings, folder: &Path, home: Option<&Path>) {
    let place = |path: &Path| absolute(path, folder, home);
    if let Some(path) = &mut settings.data_dir {
        *path = place(path);
    }
    settings.secrets.folder = place(&settings.secrets.folder);
    if let Some(path) = &mut settings.audit.path {
        *path = place(path);
    }
    for witness in &mut settings.audit.witnesses {
        if let WitnessSettings::File { path } = witness {
            *path = place(path);
        }
    }
    if let Some(profiles) = &mut settings.profiles {
        profiles.resolve(place);
    }
    settings.policy.files.iter_mut().for_each(|path| *path = place(path));
    for server in settings.servers.values_mut() {
        resolve_server(server, &place);
    }
}

fn resolve_server(server: &mut ServerSettings, place: &dyn Fn(&Path) -> PathBuf) {
    if let Some(path) = &mut server.cwd {
        *path = place(path);
    }
    // A bare name is looked up in PATH.
    if let Some(command) = server.command.as_mut().filter(|command| command.contains('/')) {
        *command = place(Path::new(command)).to_string_lossy().into_owned();
    }
    match &mut server.builtin {
        Some(BuiltinSettings::Filesystem { roots: paths, .. } | BuiltinSettings::Git { repositories: paths, .. }) => {
            paths.iter_mut().for_each(|path| *path = place(path));
        }
        Some(BuiltinSettings::Database { url, .. }) => {
            if let Some(resolved) = sqlite(url, place) {
                *url = resolved;
            }
        }
        None => {}
    }
}

/// `sqlite:FILE`, with or without `//` and a query, as `sqlite:/absolute`; `None` for what names no file.
fn sqlite(url: &str, place: &dyn Fn(&Path) -> PathBuf) -> Option<String> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    if rest.is_empty() || rest.starts_with(":memory:") {
        return None;
    }
    let (file, query) = rest.find('?').map_or((rest, ""), |question| rest.split_at(question));
    Some(format!("sqlite:{}{query}", place(Path::new(file)).to_string_lossy()))
}

/// `path` made absolute, with `.` steps taken out; `..` stays, because behind a link it is not the parent by name.
pub(crate) fn absolute(path: &Path, folder: &Path, home: Option<&Path>) -> PathBuf {
    let path = match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => folder.join(path),
    };
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_against_file_and_home() {
        let (folder, home) = (Path::new("/etc/omni"), Some(Path::new("/home/ada")));
        for (path, expected) in [
            (".", "/etc/omni"),
            ("./a/./b", "/etc/omni/a/b"),
            ("../x", "/etc/omni/../x"),
            ("/abs", "/abs"),
            ("~", "/home/ada"),
            ("~/x", "/home/ada/x"),
            ("~other/x", "/etc/omni/~other/x"),
        ] {
            assert_eq!(absolute(Path::new(path), folder, home), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn only_sqlite_files_are_resolved() {
        let place = |path: &Path| absolute(path, Path::new("/f"), None);
        for (url, expected) in [
            ("sqlite:a.db", Some("sqlite:/f/a.db")),
            ("sqlite://a.db?mode=ro", Some("sqlite:/f/a.db?mode=ro")),
            ("sqlite:///abs/a.db", Some("sqlite:/abs/a.db")),
            ("sqlite::memory:", None),
            ("postgres://h/db", None),
        ] {
            assert_eq!(sqlite(url, &place).as_deref(), expected, "{url}");
        }
    }
}
