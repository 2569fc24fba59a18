//! What was accepted of each source, as files among those that the scanner finds.

use std::path::{Path, PathBuf};

use crate::fault::ProfileFault;
use crate::library::Source;
use crate::name::{NAMED_BY_FOLDER, ProfileName};
use crate::remote::kept::Kept;
use crate::remote::lock::{Lock, Locked};
use crate::settings::ProfilesSettings;

/// Digits of a commit that are told.
const COMMIT_DIGITS: usize = 12;

/// The files on this machine on whose state it depends.
pub(crate) fn stamps(settings: &ProfilesSettings, kept: Option<&Kept>) -> Vec<PathBuf> {
    if settings.remote.is_empty() {
        return Vec::new();
    }
    let mut all = vec![settings.lock.clone()];
    if let (Some(kept), Ok(lock)) = (kept, Lock::read(&settings.lock)) {
        all.extend(lock.sources.values().flat_map(|locked| locked.files.values()).map(|sha256| kept.place(sha256)));
    }
    all
}

/// What is in force of the sources of `settings`, and what is not, with the reason. `rank` is that of the first.
pub(crate) fn sources(
    settings: &ProfilesSettings,
    kept: Option<&Kept>,
    rank: usize,
) -> (Vec<Source>, Vec<ProfileFault>) {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    if settings.remote.is_empty() {
        return (found, faults);
    }
    let mut told = |why: String| faults.push(ProfileFault::whole(&settings.lock, why));
    let lock = match Lock::read(&settings.lock) {
        Ok(lock) => lock,
        Err(why) => {
            told(format!("{why}: no profile from elsewhere is in force"));
            return (found, faults);
        }
    };
    let Some(kept) = kept else {
        told("profiles from elsewhere need a data directory, and there is none".to_owned());
        return (found, faults);
    };
    for (at, (name, source)) in settings.remote.iter().enumerate() {
        match lock.sources.get(name) {
            None => {
                told(format!("nothing of `{name}` ({}) was accepted yet: `omni profile update {name}`", source.from))
            }
            Some(locked) if locked.from != source.from => {
                told(format!(
                    "`{name}` was accepted from {} and is now {}: `omni profile update {name}`",
                    locked.from, source.from
                ));
            }
            Some(locked) => {
                for (path, sha256) in &locked.files {
                    let file = shown(name, locked, path);
                    match (kept.text(sha256), name_of(name, path)) {
                        (Some(text), Some(name)) => found.push(Source { name, file, text, rank: rank + at }),
                        (None, _) => told(format!(
                            "{} was accepted and is not on this machine yet: the hub fetches it, or `omni profile update {name}` does",
                            file.display()
                        )),
                        (_, None) => told(format!("{}: its name gives no profile's name", file.display())),
                    }
                }
            }
        }
    }
    (found, faults)
}

/// How a file is called in messages, and how profiles of one source name one another by path.
fn shown(source: &str, locked: &Locked, path: &str) -> PathBuf {
    let commit = locked.commit.as_deref().map_or("", |commit| commit.get(..COMMIT_DIGITS).unwrap_or(commit));
    Path::new(&format!("{source}@{commit}")).join(path)
}

/// `CLAUDE.md` is called as its folder is, at the top as its source.
fn name_of(source: &str, path: &str) -> Option<ProfileName> {
    let path = Path::new(path);
    let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = text(path.file_stem())?;
    let folder = text(path.parent().and_then(Path::file_name));
    let name = if stem == NAMED_BY_FOLDER { folder.unwrap_or_else(|| source.to_owned()) } else { stem };
    ProfileName::of_file(&name).ok()
}
