//! `omni.lock`: what somebody accepted of each source, by commit and by the digest of each file's content.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Bytes of the file.
const BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The form in which it is written.
const VERSION: u32 = 1;

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// By the source's name.
    pub sources: BTreeMap<String, Locked>,
}

/// What was accepted of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// What the configuration said then; when it says something else, nothing is accepted yet.
    pub from: String,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// SHA-256 of each file's content, by its path.
    pub files: BTreeMap<String, String>,
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, sources: BTreeMap::new() }
    }
}

impl Lock {
    /// What stands in `path`; nothing where there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, or is no such file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let told = |why: String| format!("{}: {why}", path.display());
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(told(error.to_string())),
        };
        let mut text = String::new();
        file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| told(error.to_string()))?;
        if text.len() as u64 > BYTES_MAX {
            return Err(told(format!("is longer than {} MiB", BYTES_MAX / (1024 * 1024))));
        }
        let lock: Self = serde_json::from_str(&text).map_err(|error| told(error.to_string()))?;
        if lock.version != VERSION {
            return Err(told(format!("is of version {}, and this program knows {VERSION}", lock.version)));
        }
        let digest = |text: &String| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        for (name, locked) in &lock.sources {
            if let Some((file, _)) =
                locked.files.iter().find(|(path, sha256)| !digest(sha256) || !super::origin::is_inside(path))
            {
                return Err(told(format!("sources.{name}.files: `{file}` is no path with a SHA-256")));
            }
        }
        Ok(lock)
    }

    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        text.push('\n');
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        write_whole(folder, path, text.as_bytes())
    }
}

/// Puts `bytes` in place of `path`, by way of another file in `folder`.
pub(super) fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let random = omni_types::random::<8>().map_err(|_| io::Error::other("the system has no randomness to give"))?;
    let new = folder.join(format!(".omni-{}.new", omni_types::hex(&random)));
    let written = fs::File::options().write(true).create_new(true).open(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&new, path)).inspect_err(|_| {
        let _it_may_not_be_there = fs::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Lock, Locked};

    #[test]
    fn cfg_4_what_was_accepted_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("omni.lock");
        assert_eq!(Lock::read(&path).unwrap(), Lock::default());
        let mut lock = Lock::default();
        let locked = Locked {
            from: "github:a/b@main".to_owned(),
            commit: Some("c".repeat(40)),
            files: [("team/dev.md".to_owned(), "0".repeat(64))].into(),
        };
        lock.sources.insert("team".to_owned(), locked);
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), lock);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        for (good, bad) in
            [("team/dev.md", "../dev.md"), (&"0".repeat(64), "xyz"), ("\"version\": 1", "\"version\": 2")]
        {
            let text = serde_json::to_string_pretty(&lock).unwrap().replace(good, bad);
            std::fs::write(&path, text).unwrap();
            assert!(Lock::read(&path).unwrap_err().contains("omni.lock"), "{bad}");
        }
    }
}
