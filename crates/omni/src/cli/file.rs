//! Files read within bounds and replaced in one step, so that no reader ever sees half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Largest file of a client that is read: `~/.claude.json` holds histories and grows to some megabytes.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 20;

/// Names tried for the temporary file beside the real one.
const NAMES_TRIED_MAX: u32 = 100;

/// The text of a file, `None` when there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    // It may grow while it is read, so the reading is bounded as well.
    if metadata.len() <= FILE_BYTES_MAX {
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    }
    if metadata.len().max(text.len() as u64) > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(Some(text))
}

/// The file itself where `path` is a link: replacing the link would part it from the file it stands for.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Err(io::Error::other("a link to a file that does not exist")),
            Err(_) => Ok(path.to_owned()),
        },
        Err(error) => Err(error),
    }
}

/// Writes a file beside the old one and renames it over; the old one's mode stays, a new file is for its owner only, because
/// settings hold secrets. `before` is what the file must still hold.
pub(crate) fn replace(path: &Path, before: Option<&str>, text: &str) -> io::Result<()> {
    let path = resolve(path)?;
    if read(&path)?.as_deref() != before {
        return Err(io::Error::other("changed by someone else in the meantime: nothing was written, try again"));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let (temporary, mut file) = create_beside(&path)?;
    let written = (|| {
        file.write_all(text.as_bytes())?;
        if let Ok(metadata) = fs::metadata(&path) {
            file.set_permissions(metadata.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file; fails when there is one already. For its owner only.
pub(crate) fn create_new(path: &Path, text: &str) -> io::Result<()> {
    open_new(path)?.write_all(text.as_bytes())
}

fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for number in 0..NAMES_TRIED_MAX {
        let beside = path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()));
        match open_new(&beside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (beside, file)),
        }
    }
    Err(io::Error::other("no free name for a temporary file beside it"))
}

fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn replaces_through_a_link_and_keeps_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        replace(&link, Some("old"), "new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn refuses_what_changed_meanwhile_dangling_links_and_directories() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "theirs").unwrap();
        assert!(replace(&path, Some("ours"), "new").unwrap_err().to_string().contains("in the meantime"));
        assert!(replace(&path, None, "new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        let dangling = folder.path().join("dangling");
        symlink(folder.path().join("nowhere"), &dangling).unwrap();
        assert!(replace(&dangling, None, "new").unwrap_err().to_string().contains("link"));
        assert!(read(folder.path()).unwrap_err().to_string().contains("regular"));
        assert_eq!(read(&folder.path().join("none")).unwrap(), None);
        let huge = folder.path().join("huge");
        File::create(&huge).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        assert!(read(&huge).unwrap_err().to_string().contains("larger than"));
    }

    #[test]
    fn new_files_are_for_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/omni.yaml");
        replace(&path, None, "x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(create_new(&path, "y").is_err());
    }
}
