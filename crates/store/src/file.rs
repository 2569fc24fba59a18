//! The database's file: nobody else's, made so before anything stands in it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::StoreError;

/// Only the user that runs the hub may read it; SQLite gives its side files the same mode.
const FILE_MODE: u32 = 0o600;
/// And only they may look into a folder that is made for it.
const FOLDER_MODE: u32 = 0o700;
/// Bits that let others in.
const OTHERS: u32 = 0o077;

/// Makes the file where there is none, and refuses one that others could have read or put there.
pub(crate) fn secure(path: &Path) -> Result<(), StoreError> {
    let io = |source| StoreError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(io)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
        Ok(_made) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io(error)),
    }
    examine(path)
}

/// Refuses a file that others could have read or put there.
pub(crate) fn examine(path: &Path) -> Result<(), StoreError> {
    let is = fs::symlink_metadata(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    let refuse = |why: String| Err(StoreError::Unsafe { path: path.to_owned(), why });
    if !is.file_type().is_file() {
        return refuse("is no plain file (a link, perhaps); remove it, or name another `data_dir`".to_owned());
    }
    let me = rustix::process::geteuid().as_raw();
    if is.uid() != me {
        return refuse(format!("belongs to user {}, and the hub runs as user {me}; it uses only its own", is.uid()));
    }
    if is.mode() & OTHERS != 0 {
        return refuse(format!(
            "others may read or change it (mode {:o}); if nobody did, `chmod 600` it",
            is.mode() & 0o777
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::{fs, secure};

    #[test]
    fn val_5_the_file_is_its_users_alone_and_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/omni.db");
        secure(&file).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        secure(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(secure(&file).unwrap_err().to_string().contains("chmod 600"));
        let link = folder.path().join("link.db");
        symlink(&file, &link).unwrap();
        assert!(secure(&link).unwrap_err().to_string().contains("no plain file"));
    }
}
