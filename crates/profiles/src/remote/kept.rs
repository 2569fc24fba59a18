//! What was fetched, kept by the SHA-256 of its content: it serves without the network, and what changed on the disk is nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::document::BYTES_MAX;
use crate::remote::lock::write_whole;

/// Entity tags that are remembered.
const TAGS_MAX: usize = 1_000;

/// The folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept(PathBuf);

/// What an address said the last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tagged {
    /// Its entity tag.
    pub(crate) etag: String,
    /// The commit, or the digest of the content.
    pub(crate) value: String,
}

/// The SHA-256 of a text, as `omni.lock` has it.
pub(crate) fn sha256(text: &str) -> String {
    omni_types::hex(digest(&SHA256, text.as_bytes()).as_ref())
}

impl Kept {
    /// In the data directory.
    #[must_use]
    pub fn at(data_dir: &Path) -> Self {
        Self(data_dir.join("profiles"))
    }

    /// Where the content of this digest is.
    pub(crate) fn place(&self, sha256: &str) -> PathBuf {
        self.0.join(sha256)
    }

    /// The content of this digest, where it is there and whole.
    #[must_use]
    pub fn text(&self, wanted: &str) -> Option<String> {
        let mut text = String::new();
        let file = fs::File::open(self.place(wanted)).ok()?;
        file.take(BYTES_MAX as u64 + 1).read_to_string(&mut text).ok()?;
        (sha256(&text) == wanted).then_some(text)
    }

    /// Keeps `text`; its digest.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, text: &str) -> io::Result<String> {
        let sha256 = sha256(text);
        if self.text(&sha256).is_none() {
            fs::create_dir_all(&self.0)?;
            write_whole(&self.0, &self.place(&sha256), text.as_bytes())?;
        }
        Ok(sha256)
    }

    /// What `url` said the last time.
    pub(crate) fn tag(&self, url: &str) -> Option<Tagged> {
        self.tags().remove(url)
    }

    /// Remembers what `url` says now. It only saves work: what cannot be written is not remembered.
    pub(crate) fn remember(&self, url: &str, tagged: Tagged) {
        let mut tags = self.tags();
        if tags.len() >= TAGS_MAX {
            tags.clear();
        }
        tags.insert(url.to_owned(), tagged);
        if let Ok(text) = serde_json::to_vec(&tags)
            && fs::create_dir_all(&self.0).is_ok()
        {
            let _only_saves_work = write_whole(&self.0, &self.0.join("etags.json"), &text);
        }
    }

    fn tags(&self) -> BTreeMap<String, Tagged> {
        let text = fs::read(self.0.join("etags.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Kept, Tagged};

    #[test]
    fn cfg_4_what_is_kept_is_what_was_put_there_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::at(folder.path());
        let sha256 = kept.put("Be kind.\n").unwrap();
        assert_eq!(kept.put("Be kind.\n").unwrap(), sha256);
        assert_eq!(kept.text(&sha256).as_deref(), Some("Be kind.\n"));
        std::fs::write(kept.place(&sha256), "Be rude.\n").unwrap();
        assert_eq!(kept.text(&sha256), None);
        assert_eq!(kept.put("Be kind.\n").unwrap(), sha256);
        assert!(kept.text(&sha256).is_some());
        assert_eq!(kept.tag("u"), None);
        let tagged = Tagged { etag: "\"x\"".to_owned(), value: "v".to_owned() };
        kept.remember("u", tagged.clone());
        assert_eq!(kept.tag("u"), Some(tagged));
    }
}
