//! The file scanner: what lies in the folders of profiles, by patterns, depth and endings; nothing outside is ever read.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

use crate::document::BYTES_MAX;
use crate::fault::ProfileFault;
use crate::glob;
use crate::library::Source;
use crate::name::{NAMED_BY_FOLDER, ProfileName};
use crate::remote::{Kept, sources, stamps};
use crate::settings::ProfilesSettings;

/// Profiles in all.
const FILES_MAX: usize = 1_000;
/// Entries of folders that are looked at.
const ENTRIES_MAX: usize = 20_000;

/// What tells one state of the files from another without reading them: path, inode, time of change, length.
pub type Stamp = Vec<(PathBuf, u64, i64, i64, u64)>;

/// What was found.
#[derive(Debug, Default)]
pub struct Scan {
    /// The files, in order: those that are named first, then by path.
    pub sources: Vec<Source>,
    /// What could not be read.
    pub faults: Vec<ProfileFault>,
    /// Their state.
    pub stamp: Stamp,
    /// The folders that were looked into.
    pub folders: Vec<PathBuf>,
}

/// A file on its way to be read.
struct Candidate {
    inside: PathBuf,
    shown: PathBuf,
    stamp: (u64, i64, i64, u64),
}

struct Walk<'a> {
    settings: &'a ProfilesSettings,
    root: &'a Path,
    dir: &'a Dir,
    entries: &'a mut usize,
    found: Vec<Candidate>,
    folders: Vec<PathBuf>,
    faults: Vec<ProfileFault>,
}

/// Looks through the folders, and at what was accepted from elsewhere, as far as it is `kept`. With `seen`, the state of another
/// time, the files are read only where that is another one: `None` says that nothing changed.
#[must_use]
pub fn look(settings: &ProfilesSettings, kept: Option<&Kept>, seen: Option<&Stamp>) -> Option<Scan> {
    let mut scan = Scan::default();
    let mut roots = Vec::new();
    let mut entries = 0;
    for file in settings.files.values().chain(&stamps(settings, kept)) {
        scan.stamp.extend(fs::metadata(file).ok().map(|meta| stamped(file, of_file(&meta))));
    }
    for root in &settings.paths {
        let dir = match Dir::open_ambient_dir(root, ambient_authority()) {
            Ok(dir) => dir,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                scan.faults.push(ProfileFault::whole(root, format!("cannot be looked through: {error}")));
                continue;
            }
        };
        let mut walk = Walk {
            settings,
            root,
            dir: &dir,
            entries: &mut entries,
            found: Vec::new(),
            folders: Vec::new(),
            faults: Vec::new(),
        };
        walk.folder(Path::new("."), &mut Vec::new(), 0);
        let Walk { mut found, folders, faults, .. } = walk;
        scan.folders.extend(folders);
        scan.faults.extend(faults);
        found.sort_by(|a, b| a.inside.cmp(&b.inside));
        scan.stamp.extend(found.iter().map(|one| stamped(&one.shown, one.stamp)));
        roots.push((dir, found));
    }
    if seen == Some(&scan.stamp) {
        return None;
    }
    for (name, file) in &settings.files {
        let text = ProfileName::parse(name).map_err(|why| format!("`{name}`: {why}"));
        match text.and_then(|name| Ok((name, named(file).map_err(|why| why.to_string())?))) {
            Ok((name, text)) => scan.sources.push(Source { name, file: file.clone(), text, rank: 0 }),
            Err(why) => scan.faults.push(ProfileFault::whole(file, why)),
        }
    }
    for (at, (dir, found)) in roots.into_iter().enumerate() {
        for candidate in found {
            read_one(&mut scan, settings, (&dir, at + 1), &candidate);
        }
    }
    let (remote, faults) = sources(settings, kept, 1 + settings.paths.len());
    scan.sources.extend(remote.into_iter().take(FILES_MAX.saturating_sub(scan.sources.len())));
    scan.faults.extend(faults);
    Some(scan)
}

fn stamped(path: &Path, (inode, seconds, nanos, length): (u64, i64, i64, u64)) -> (PathBuf, u64, i64, i64, u64) {
    (path.to_owned(), inode, seconds, nanos, length)
}

fn of_file(meta: &fs::Metadata) -> (u64, i64, i64, u64) {
    (meta.ino(), meta.ctime(), meta.ctime_nsec(), meta.len())
}

fn read_one(scan: &mut Scan, settings: &ProfilesSettings, (dir, rank): (&Dir, usize), candidate: &Candidate) {
    let shown = &candidate.shown;
    if settings.files.values().any(|named| named == shown) {
        return;
    }
    if scan.sources.len() >= FILES_MAX {
        if !scan.faults.iter().any(|fault| fault.message.contains("profiles are all")) {
            scan.faults.push(ProfileFault::whole(
                shown,
                format!("{FILES_MAX} profiles are all that are kept; more are left out"),
            ));
        }
        return;
    }
    let text = within(dir, &candidate.inside).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => "leads out of its folder".to_owned(),
        _ => error.to_string(),
    });
    let name = |text: String| Ok((name_of(shown).map_err(|why| why.to_string())?, text));
    match text.and_then(name) {
        Ok((name, text)) => scan.sources.push(Source { name, file: shown.clone(), text, rank }),
        Err(why) => scan.faults.push(ProfileFault::whole(shown, why)),
    }
}

fn name_of(file: &Path) -> Result<ProfileName, crate::name::ProfileNameError> {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let stem = text(file.file_stem());
    let folder = text(file.parent().and_then(Path::file_name));
    ProfileName::of_file(if stem == NAMED_BY_FOLDER { &folder } else { &stem })
}

impl Walk<'_> {
    fn folder(&mut self, inside: &Path, steps: &mut Vec<String>, depth: u64) {
        self.folders.push(self.root.join(inside).components().collect());
        let entries = match self.dir.read_dir(inside) {
            Ok(entries) => entries,
            Err(error) => {
                let shown: PathBuf = self.root.join(inside).components().collect();
                self.faults.push(ProfileFault::whole(&shown, format!("cannot be looked through: {error}")));
                return;
            }
        };
        for entry in entries.flatten() {
            *self.entries += 1;
            if *self.entries > ENTRIES_MAX {
                let why = format!("holds more than {ENTRIES_MAX} entries: the rest is not looked at");
                self.faults.push(ProfileFault::whole(self.root, why));
                return;
            }
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(kind) = entry.file_type() else { continue };
            if (name.starts_with('.') && !self.settings.hidden) || (kind.is_symlink() && !self.settings.symlinks) {
                continue;
            }
            let place = inside.join(&name);
            // By way of the root, so that a link may lead wherever in it, and nowhere else.
            let Ok(meta) = self.dir.metadata(&place) else { continue };
            steps.push(name);
            self.entry(&place, &meta, steps, depth);
            steps.pop();
        }
    }

    fn entry(&mut self, place: &Path, meta: &cap_std::fs::Metadata, steps: &mut Vec<String>, depth: u64) {
        use cap_std::fs::MetadataExt as _;
        let path: Vec<&str> = steps.iter().map(String::as_str).collect();
        // `folder/**` leaves out the folder itself: nothing below it is looked for.
        let covered = |pattern: &String| {
            glob::path(pattern, &path)
                || pattern.strip_suffix("/**").is_some_and(|folder| {
                    !folder.contains('/')
                        && path.last().is_some_and(|last| meta.is_dir() && omni_types::glob(folder, last))
                })
        };
        if self.settings.exclude.iter().any(covered) {
            return;
        }
        if meta.is_dir() {
            if depth < self.settings.depth_max {
                self.folder(place, steps, depth + 1);
            }
            return;
        }
        let name = steps.last().map_or("", String::as_str);
        let ends = self.settings.extensions.iter().any(|ending| name.ends_with(ending.as_str()));
        let included = self.settings.include.is_empty() || self.settings.include.iter().any(|p| glob::path(p, &path));
        if meta.is_file() && ends && included && self.found.len() <= FILES_MAX {
            let stamp = (meta.ino(), meta.ctime(), meta.ctime_nsec(), meta.len());
            let shown = self.root.join(place).components().collect();
            self.found.push(Candidate { inside: place.to_owned(), shown, stamp });
        }
    }
}

/// Reads a file below `dir`; never waits for the other end of a pipe.
fn within(dir: &Dir, inside: &Path) -> io::Result<String> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = dir.open_with(inside, &options)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    text_of(file)
}

/// Reads a file that the operator names.
fn named(path: &Path) -> io::Result<String> {
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    text_of(file)
}

fn text_of(file: impl io::Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > BYTES_MAX {
        return Err(io::Error::other(format!("is longer than a profile may be, {} KiB", BYTES_MAX / 1024)));
    }
    String::from_utf8(bytes).map_err(|error| {
        io::Error::other(format!("is no UTF-8 from byte {} on: save it as UTF-8", error.utf8_error().valid_up_to()))
    })
}

#[cfg(test)]
mod tests;
