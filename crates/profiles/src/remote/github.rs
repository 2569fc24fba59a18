//! A repository of GitHub's, by its REST API: a reference's commit, the commit's tree, the files in it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use http::header::{ACCEPT, AUTHORIZATION, IF_NONE_MATCH, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use omni_egress::{Fetched, Fetcher};
use serde::Deserialize;

use crate::document::BYTES_MAX;
use crate::remote::answer::{etag, refusal};
use crate::remote::origin::encoded;

/// Bytes of one answer: a tree that GitHub does not cut has at most 7 MB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// For one answer to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Redirects of one request: a repository that was renamed.
const HOPS_MAX: usize = 3;
/// Trees that are read where GitHub does not give the whole at once.
const TREES_MAX: usize = 100;
/// Which form of the API is spoken.
const API_VERSION: &str = "2022-11-28";
/// Who asks: GitHub refuses requests without.
pub(super) const AGENT: &str = concat!("omni-mcp-hub/", env!("CARGO_PKG_VERSION"));

const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";
const COMMIT_ID: &str = "application/vnd.github.sha";

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) mode: String,
    #[serde(rename = "type")]
    kind: String,
    /// Its id as an object of git.
    sha: String,
    #[serde(default)]
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Tree {
    tree: Vec<Entry>,
    #[serde(default)]
    truncated: bool,
}

/// One repository.
#[derive(Debug)]
pub(super) struct GitHub {
    fetcher: Fetcher,
    /// Path of the repository below the API's address.
    base: String,
    who: String,
    authorization: Option<HeaderValue>,
}

/// What a reference leads to.
pub(super) enum Commit {
    /// The same as with the entity tag that was shown.
    Same,
    /// This one.
    At {
        /// Its id.
        id: String,
        /// The answer's entity tag.
        etag: Option<String>,
    },
}

impl Entry {
    /// Whether it is a regular file: no link, no folder, no other repository.
    pub(super) fn is_file(&self) -> bool {
        self.kind == "blob" && self.mode.starts_with("100")
    }
}

impl GitHub {
    /// The repository `owner/repository` at the API that `target` leads to.
    pub(super) fn new(target: omni_egress::Target, place: (&str, &str), token: Option<&str>) -> Result<Self, String> {
        let authorization = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| "the token holds characters that no header may have".to_owned())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        Ok(Self {
            base: format!("{}/repos/{}/{}", target.path().path().trim_end_matches('/'), place.0, place.1),
            who: target.host().to_owned(),
            fetcher: Fetcher::of(target, ANSWER_BYTES_MAX, PATIENCE),
            authorization: authorization.transpose()?,
        })
    }

    /// The address under which the answer about `reference` is remembered.
    pub(super) fn address_of(&self, reference: &str) -> String {
        format!("{}{}/commits/{}", self.who, self.base, encoded(reference))
    }

    /// The commit that `reference` leads to.
    pub(super) async fn commit(&self, reference: &str, seen: Option<&str>) -> Result<Commit, String> {
        let what = format!("the reference `{reference}`");
        let path = format!("{}/commits/{}", self.base, encoded(reference));
        let answer = self.ask(&path, COMMIT_ID, seen).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED if seen.is_some() => Ok(Commit::Same),
            StatusCode::OK => {
                let id = std::str::from_utf8(&answer.body).unwrap_or_default().trim().to_owned();
                if !is_id(&id) {
                    return Err(format!("{} answered {what} with what is no commit's id", self.who));
                }
                Ok(Commit::At { id, etag: etag(&answer) })
            }
            _ => Err(self.refused(&what, &answer)),
        }
    }

    /// The files of `commit` at or below `root`, at most `depth_max` folders below it.
    pub(super) async fn files(&self, commit: &str, root: &str, depth_max: usize) -> Result<Vec<Entry>, String> {
        let whole = self.tree(commit, true).await?;
        if !whole.truncated {
            return Ok(whole.tree.into_iter().filter(Entry::is_file).collect());
        }
        // Larger than GitHub gives at once: only the part that is wanted, folder by folder.
        let mut trees = 0;
        let mut left = vec![(String::new(), commit.to_owned())];
        let mut files = Vec::new();
        while let Some((folder, id)) = left.pop() {
            trees += 1;
            if trees > TREES_MAX {
                return Err(format!(
                    "{} cuts the list of files, and it has more than {TREES_MAX} folders: name a smaller one by its path",
                    self.who
                ));
            }
            let tree = self.tree(&id, false).await?;
            if tree.truncated {
                return Err(format!("{} gives the folder `{folder}` only in part: it has too many entries", self.who));
            }
            for entry in tree.tree {
                let path = if folder.is_empty() { entry.path.clone() } else { format!("{folder}/{}", entry.path) };
                let leads_there = root == path || root.starts_with(&format!("{path}/"));
                let below = root.is_empty() || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
                let depth = path.matches('/').count() - root.matches('/').count().min(path.matches('/').count());
                if entry.kind == "tree" && (leads_there || (below && depth < depth_max.saturating_add(1))) {
                    left.push((path, entry.sha));
                } else if entry.is_file() {
                    files.push(Entry { path, ..entry });
                }
            }
        }
        Ok(files)
    }

    async fn tree(&self, id: &str, recursive: bool) -> Result<Tree, String> {
        let what = "the list of files".to_owned();
        let query = if recursive { "?recursive=1" } else { "" };
        let answer = self.ask(&format!("{}/git/trees/{id}{query}", self.base), JSON, None).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(&what, &answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| format!("{} answered {what} with what is none: {error}", self.who))
    }

    /// The text of a file, checked against its id: an answer that was cut short is none.
    pub(super) async fn text(&self, entry: &Entry) -> Result<String, String> {
        let what = format!("`{}`", entry.path);
        if entry.size > BYTES_MAX as u64 {
            return Err(format!("{what} is longer than a profile may be, {} KiB", BYTES_MAX / 1024));
        }
        let answer = self.ask(&format!("{}/git/blobs/{}", self.base, encoded(&entry.sha)), RAW, None).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(&what, &answer));
        }
        if blob_id(&answer.body, entry.sha.len()) != entry.sha {
            return Err(format!("{} answered {what} with another content than the commit has: try again", self.who));
        }
        plain(answer, &what)
    }

    /// The text of the file at `path` in `commit`.
    pub(super) async fn text_at(&self, commit: &str, path: &str) -> Result<String, String> {
        let what = format!("`{path}`");
        let place = format!("{}/contents/{}?ref={}", self.base, encoded(path), encoded(commit));
        let answer = self.ask(&place, RAW, None).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(&what, &answer));
        }
        plain(answer, &what)
    }

    fn refused(&self, what: &str, answer: &Fetched) -> String {
        refusal(&self.who, what, answer, self.authorization.is_some())
    }

    async fn ask(&self, path: &str, accept: &'static str, seen: Option<&str>) -> Result<Fetched, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(HeaderName::from_static("x-github-api-version"), HeaderValue::from_static(API_VERSION));
        headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        headers.extend(seen.and_then(|tag| HeaderValue::from_str(tag).ok()).map(|tag| (IF_NONE_MATCH, tag)));
        let wrong = |error: omni_egress::EgressError| error.to_string();
        let mut path = self.fetcher.target().resolve(path).map_err(wrong)?;
        for _hop in 0..=HOPS_MAX {
            let answer = Box::pin(self.fetcher.get_at(path, headers.clone())).await.map_err(wrong)?;
            let moved = answer.status.is_redirection() && answer.status != StatusCode::NOT_MODIFIED;
            let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            match location.filter(|_| moved) {
                // Nowhere but where the token belongs.
                Some(location) => path = self.fetcher.target().resolve(location).map_err(wrong)?,
                None => return Ok(answer),
            }
        }
        Err(format!("{} leads on and on: more than {HOPS_MAX} redirects", self.who))
    }
}

/// A profile's text.
pub(super) fn plain(answer: Fetched, what: &str) -> Result<String, String> {
    if answer.body.len() > BYTES_MAX {
        return Err(format!("{what} is longer than a profile may be, {} KiB", BYTES_MAX / 1024));
    }
    String::from_utf8(answer.body.into()).map_err(|_| format!("{what} is no UTF-8"))
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The id of a blob, in the digest whose ids have so many digits.
fn blob_id(bytes: &[u8], digits: usize) -> String {
    let mut context = Context::new(if digits == 64 { &SHA256 } else { &SHA1_FOR_LEGACY_USE_ONLY });
    context.update(format!("blob {}\0", bytes.len()).as_bytes());
    context.update(bytes);
    omni_types::hex(context.finish().as_ref())
}

/// Files by path.
pub(super) type Texts = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::{blob_id, is_id};

    #[test]
    fn cfg_4_a_blobs_id_is_that_of_git() {
        assert_eq!(blob_id(b"hello\n", 40), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(blob_id(b"", 64), "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813");
        assert!(is_id(&"a".repeat(40)) && !is_id("main") && !is_id(&"A".repeat(40)));
    }
}
