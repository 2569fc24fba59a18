//! Files, as Docker and Kubernetes mount them: a folder with a file a secret.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use zeroize::{Zeroize as _, Zeroizing};

use crate::fault::Fault;
use crate::held::{Held, VALUE_BYTES_MAX};
use crate::local::Stamp;

/// Anybody may read it.
const OTHERS: u32 = 0o004;
/// Paths whose open permissions are told once each.
const TOLD_MAX: usize = 1_000;

/// A folder of secrets; absolute paths name files elsewhere.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    told: Mutex<std::collections::BTreeSet<PathBuf>>,
}

impl Files {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), told: Mutex::default() }
    }

    /// The text of the file, without the line end that editors put behind it.
    ///
    /// Links are followed as long as they stay within the folder (Kubernetes swaps one to change all its files at once); one
    /// that leads out of it is refused by the kernel or by cap-std's walk, at the moment of opening.
    pub(crate) fn value(&self, path: &str) -> Result<Held, Fault> {
        let (folder, name) = self.place(path)?;
        let shown = folder.join(&name);
        let missing = |why: &std::io::Error| match why.kind() {
            std::io::ErrorKind::NotFound => Fault::Missing(format!("there is no {}", shown.display())),
            _ => Fault::Unusable(format!("{} cannot be read: {why}", shown.display())),
        };
        let dir = Dir::open_ambient_dir(&folder, ambient_authority()).map_err(|error| missing(&error))?;
        let mut options = OpenOptions::new();
        // A pipe in the place of a file would have its opener wait for ever.
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = dir.open_with(&name, &options).map_err(|error| missing(&error))?;
        let meta = file.metadata().map_err(|error| missing(&error))?;
        if !meta.is_file() {
            return Err(Fault::Unusable(format!("{} is no file", shown.display())));
        }
        self.look_at(&shown, meta.mode());
        let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_BYTES_MAX + 1));
        file.take(VALUE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| missing(&error))?;
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(Fault::Unusable(format!("{} is larger than {VALUE_BYTES_MAX} bytes", shown.display())));
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Fault::Unusable(format!("{} is not UTF-8 text", shown.display())))?;
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        let value = text.to_owned();
        bytes.zeroize();
        if value.is_empty() {
            return Err(Fault::Missing(format!("{} is empty", shown.display())));
        }
        Ok(Held::new(value))
    }

    /// What tells one state of the file from another.
    pub(crate) fn stamp(&self, path: &str) -> Stamp {
        let (folder, name) = self.place(path).ok()?;
        crate::local::stamp_of(&folder.join(name))
    }

    /// The file's path without steps that lead nowhere, from the folder where it lies in it.
    pub(crate) fn normal(&self, path: &str) -> String {
        let whole: PathBuf = self.folder.join(path).components().filter(|part| *part != Component::CurDir).collect();
        whole.display().to_string()
    }

    /// The folder that may not be left, and the file's path in it.
    fn place(&self, path: &str) -> Result<(PathBuf, PathBuf), Fault> {
        let path = Path::new(path);
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(Fault::Unusable("`..` cannot stand in the path of a secret: write it as it is".to_owned()));
        }
        if !path.is_absolute() {
            return Ok((self.folder.clone(), path.to_owned()));
        }
        match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) => Ok((folder.to_owned(), PathBuf::from(name))),
            _ => Err(Fault::Unusable(format!("{} is no file", path.display()))),
        }
    }

    fn look_at(&self, path: &Path, mode: u32) {
        if mode & OTHERS == 0 {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX && told.insert(path.to_owned()) {
            tracing::warn!(file = %path.display(), "a secret's file can be read by every user of this machine (mode {:o})", mode & 0o777);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::Files;
    use crate::fault::Fault;
    use crate::held::VALUE_BYTES_MAX;

    #[test]
    fn sec_3_files_are_read_as_they_are_mounted() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // As Kubernetes lays them: name -> ..data/name, ..data -> ..1
        std::fs::create_dir(at("..1")).unwrap();
        std::fs::write(at("..1/token"), "first\n").unwrap();
        symlink("..1", at("..data")).unwrap();
        symlink("..data/token", at("token")).unwrap();
        std::fs::write(at("crlf"), "a\nb\r\n").unwrap();
        let files = Files::new(folder.path());
        let value = |path: &str| files.value(path).map(|held| held.expose().to_owned());
        assert_eq!(value("token").unwrap(), "first");
        assert_eq!(value("crlf").unwrap(), "a\nb");
        assert_eq!(value(at("crlf").to_str().unwrap()).unwrap(), "a\nb");
        let before = files.stamp("token");
        std::fs::create_dir(at("..2")).unwrap();
        std::fs::write(at("..2/token"), "second one").unwrap();
        symlink("..2", at("..new")).unwrap();
        std::fs::rename(at("..new"), at("..data")).unwrap();
        assert_eq!(value("token").unwrap(), "second one");
        assert_ne!(files.stamp("token"), before, "a swapped link is seen");
    }

    #[test]
    fn shb_3_no_link_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("x"), "outside").unwrap();
        symlink(outside.path().join("x"), folder.path().join("absolute")).unwrap();
        symlink(outside.path(), folder.path().join("folder")).unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("large"), "a".repeat(VALUE_BYTES_MAX + 1)).unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        std::fs::write(folder.path().join("binary"), [0xff, 0xfe]).unwrap();
        let files = Files::new(folder.path());
        for path in ["absolute", "folder/x", "../x", "sub", "large", "binary", "/"] {
            assert!(matches!(files.value(path), Err(Fault::Unusable(_))), "{path}: {:?}", files.value(path));
        }
        for path in ["none", "empty", "none/x"] {
            assert!(matches!(files.value(path), Err(Fault::Missing(_))), "{path}");
        }
    }
}
