//! The hub's key on disk: what it sealed for clients (ids of tasks, cursors) is known again after a restart.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use omni_hub::{KEY_BYTES, fresh_key};

/// The file in the data directory.
const FILE: &str = "hub.key";
/// Only the user that runs the hub may read it.
const MODE: u32 = 0o600;

/// The key kept in `folder`, made when there is none. Without one that can be kept the hub runs on a key of this start,
/// which is said.
pub(crate) fn load(folder: Option<&Path>) -> Result<[u8; KEY_BYTES]> {
    let Some(folder) = folder else { return fresh() };
    match read_or_make(folder) {
        Ok(key) => Ok(key),
        Err(error) => {
            let file = folder.join(FILE);
            tracing::warn!(file = %file.display(), error = %format!("{error:#}"), "ids of tasks will not outlive this start");
            fresh()
        }
    }
}

fn fresh() -> Result<[u8; KEY_BYTES]> {
    fresh_key().context("the system has no randomness to give")
}

fn read_or_make(folder: &Path) -> Result<[u8; KEY_BYTES]> {
    let path = folder.join(FILE);
    if let Some(key) = read(&path)? {
        return Ok(key);
    }
    fs::create_dir_all(folder)?;
    let key = fresh()?;
    let beside = folder.join(format!("{FILE}.{}.tmp", std::process::id()));
    let _left_by_a_crash = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside)?;
    let written = file.write_all(&key).and_then(|()| file.sync_all());
    // Linked, not renamed: of two hubs that start at once the second takes the key of the first.
    let linked = written.and_then(|()| fs::hard_link(&beside, &path));
    let _done_with = fs::remove_file(&beside);
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => read(&path)?.context("it went again"),
        Err(error) => Err(error.into()),
    }
}

fn read(path: &Path) -> Result<Option<[u8; KEY_BYTES]>> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!(
            "others may read it (mode {:o}): a key that may be known is not used; remove it, or `chmod 600` it",
            mode & 0o777
        );
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key).context("it is too short: remove it")?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::{FILE, load, read_or_make};

    #[test]
    fn val_5_the_key_stays_and_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("deep");
        let first = load(Some(&deep)).unwrap();
        assert_eq!(load(Some(&deep)).unwrap(), first);
        assert_ne!(load(None).unwrap(), first);
        let file = deep.join(FILE);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(deep.read_dir().unwrap().count(), 1, "nothing is left beside it");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read_or_make(&deep).is_err());
        assert_ne!(load(Some(&deep)).unwrap(), first, "the hub starts all the same");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&file, b"short").unwrap();
        assert!(read_or_make(&deep).is_err());
    }
}
