//! Files that hold keys and sealed values: for their owner alone, and replaced in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::SystemTime;

/// Only the user that runs the hub may read it.
const MODE: u32 = 0o600;
/// Of the folder, where it is made here.
const FOLDER_MODE: u32 = 0o700;

/// What tells one state of a file from another without reading it.
pub(crate) type Stamp = Option<(SystemTime, u64, u64)>;

/// The stamp of the file at `path`.
pub(crate) fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len(), meta.ino()))
}

/// The text of a file that nobody else may read; `None` where there is none.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mode = file.metadata()?.mode();
    if mode & 0o077 != 0 {
        let why = format!("others may read or write it (mode {:o}): `chmod 600` it", mode & 0o777);
        return Err(io::Error::other(why));
    }
    let mut text = String::new();
    file.take(bytes_max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("is larger than {bytes_max} bytes")));
    }
    Ok(Some(text))
}

/// Puts `text` in the place of the file, which is whole at every moment.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    // Whoever writes has the lock, so the name is nobody else's; what a crash left is of no use.
    let beside = path.with_extension("tmp");
    let _left_by_a_crash = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside)?;
    let written =
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    match written {
        Ok(()) => File::open(folder)?.sync_all(),
        Err(error) => {
            let _done_with = fs::remove_file(&beside);
            Err(error)
        }
    }
}

/// The lock of all who write in `folder`; it is let go when the file is closed.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(path)?;
    file.lock()?;
    Ok(file)
}
