//! What a source has now, and what was accepted of it but is not here yet. Nothing that is fetched is in force by that.

use http::StatusCode;
use omni_egress::Target;
use omni_types::glob;

use crate::glob;
use crate::remote::answer::etag;
use crate::remote::github::{Commit, Entry, GitHub, Texts, plain};
use crate::remote::kept::{Kept, Tagged, sha256};
use crate::remote::lock::Locked;
use crate::remote::origin::Origin;
use crate::remote::plain::get;
use crate::remote::signature::{ENDING, SIGNATURE_BYTES_MAX, check};
use crate::settings::{ProfilesSettings, RemoteSettings};

/// Files of one source.
const FILES_MAX: usize = 200;
/// Bytes of all files of one source.
const SOURCE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Which source is asked, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The section `profiles`.
    pub settings: &'a ProfilesSettings,
    /// The source.
    pub source: &'a RemoteSettings,
    /// The value of its token.
    pub token: Option<&'a str>,
    /// Where what is fetched is kept.
    pub kept: &'a Kept,
}

/// What a source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The commit.
    pub commit: Option<String>,
    /// Its files, by path.
    pub files: Texts,
}

impl Found {
    /// As it is pinned when somebody accepts it.
    #[must_use]
    pub fn as_accepted(&self, from: &str) -> Locked {
        let files = self.files.iter().map(|(path, text)| (path.clone(), sha256(text))).collect();
        Locked { from: from.to_owned(), commit: self.commit.clone(), files }
    }
}

/// What the source has now; `None` where that is what was accepted, and all of it is kept.
///
/// # Errors
/// Why that cannot be told.
pub async fn latest(request: Request<'_>, locked: Option<&Locked>) -> Result<Option<Found>, String> {
    let locked = locked.filter(|locked| locked.from == request.source.from);
    let has_all = locked.is_some_and(|locked| locked.files.values().all(|sha256| request.kept.text(sha256).is_some()));
    match Origin::parse(&request.source.from).map_err(|error| error.to_string())? {
        Origin::GitHub { owner, repository, path, reference } => {
            let github = github(request, (&owner, &repository))?;
            let address = github.address_of(&reference);
            let seen = request.kept.tag(&address);
            let commit = match Box::pin(github.commit(&reference, seen.as_ref().map(|seen| seen.etag.as_str()))).await?
            {
                Commit::Same => seen.map(|seen| seen.value).unwrap_or_default(),
                Commit::At { id, etag } => {
                    if let Some(etag) = etag {
                        request.kept.remember(&address, Tagged { etag, value: id.clone() });
                    }
                    id
                }
            };
            if has_all && locked.is_some_and(|locked| locked.commit.as_deref() == Some(commit.as_str())) {
                return Ok(None);
            }
            let files = Box::pin(of_commit(request, &github, &commit, &path)).await?;
            Ok(Some(Found { commit: Some(commit), files }))
        }
        Origin::Https { url } => Box::pin(of_address(request, &url, locked.filter(|_| has_all))).await,
    }
}

/// Fetches what was accepted and is not kept; each file has to be the one that was accepted. How many there were.
///
/// # Errors
/// Why one of them cannot be had.
pub async fn missing(request: Request<'_>, locked: &Locked) -> Result<usize, String> {
    let wanted: Vec<_> = locked.files.iter().filter(|(_, sha256)| request.kept.text(sha256).is_none()).collect();
    if wanted.is_empty() {
        return Ok(0);
    }
    let origin = Origin::parse(&request.source.from).map_err(|error| error.to_string())?;
    for (path, accepted) in &wanted {
        let text = match (&origin, &locked.commit) {
            (Origin::GitHub { owner, repository, .. }, Some(commit)) => {
                Box::pin(github(request, (owner, repository))?.text_at(commit, path)).await?
            }
            (Origin::Https { url }, _) => {
                let answer = Box::pin(get(url, &|url| allowed(request.settings, url), (request.token, None))).await?;
                plain(answer, &format!("`{path}`"))?
            }
            (Origin::GitHub { .. }, None) => return Err("omni.lock names no commit: `omni profile update`".to_owned()),
        };
        if sha256(&text) != **accepted {
            return Err(format!(
                "`{path}` is another text than was accepted: `omni profile update` shows the difference"
            ));
        }
        request.kept.put(&text).map_err(|error| format!("cannot be kept: {error}"))?;
    }
    Ok(wanted.len())
}

fn github(request: Request<'_>, place: (&str, &str)) -> Result<GitHub, String> {
    GitHub::new(reach(request.settings, &request.settings.github_api)?, place, request.token)
}

/// The address `url`, over TLS, and at a private address only where the operator says so of its host.
fn reach(settings: &ProfilesSettings, url: &str) -> Result<Target, String> {
    let target = Target::parse(url).map_err(|error| error.to_string())?;
    if !target.is_encrypted() {
        return Err(format!("{url}: profiles are fetched over https:// alone"));
    }
    let private = settings.private_hosts.iter().any(|host| host.eq_ignore_ascii_case(target.host()));
    Ok(if private { target } else { target.public_only() })
}

/// The same of a host from which files may be fetched.
fn allowed(settings: &ProfilesSettings, url: &str) -> Result<Target, String> {
    let target = reach(settings, url)?;
    let host = target.host().to_ascii_lowercase();
    if !settings.remote_hosts.iter().any(|allowed| glob(&allowed.to_ascii_lowercase(), &host)) {
        return Err(format!("nothing is fetched from {host}: `profiles.remote_hosts` does not name it"));
    }
    Ok(target)
}

async fn of_address(request: Request<'_>, url: &str, locked: Option<&Locked>) -> Result<Option<Found>, String> {
    let may = |url: &str| allowed(request.settings, url);
    let seen = request.kept.tag(url);
    let known = seen
        .as_ref()
        .filter(|seen| locked.is_some_and(|locked| locked.files.values().any(|sha256| *sha256 == seen.value)));
    let answer = Box::pin(get(url, &may, (request.token, known.map(|seen| seen.etag.as_str())))).await?;
    if answer.status == StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let tag = etag(&answer);
    let text = plain(answer, &format!("`{name}`"))?;
    if !request.source.signed_by.is_empty() {
        let signature = Box::pin(get(&format!("{path}{ENDING}"), &may, (request.token, None))).await;
        let signature = signature.and_then(|answer| plain(answer, "the signature")).ok();
        check(&request.source.signed_by, &name, &text, signature.as_deref())?;
    }
    if let Some(etag) = tag {
        request.kept.remember(url, Tagged { etag, value: sha256(&text) });
    }
    if locked.is_some_and(|locked| locked.files.values().eq([&sha256(&text)])) {
        return Ok(None);
    }
    Ok(Some(Found { commit: None, files: [(name, text)].into() }))
}

async fn of_commit(request: Request<'_>, github: &GitHub, commit: &str, root: &str) -> Result<Texts, String> {
    let settings = request.settings;
    let depth_max = usize::try_from(settings.depth_max).unwrap_or(usize::MAX);
    let all = Box::pin(github.files(commit, root, depth_max)).await?;
    let wanted: Vec<&Entry> = all.iter().filter(|entry| is_wanted(settings, root, &entry.path)).collect();
    if wanted.is_empty() {
        let place = if root.is_empty() { "the repository".to_owned() } else { format!("`{root}`") };
        return Err(format!(
            "{place} holds no profile at commit {commit}: files of {}",
            settings.extensions.join(", ")
        ));
    }
    if wanted.len() > FILES_MAX {
        return Err(format!(
            "it has {} files, and {FILES_MAX} are taken at most: name a folder by its path",
            wanted.len()
        ));
    }
    let mut texts = Texts::new();
    let mut bytes = 0;
    for entry in wanted {
        let text = Box::pin(github.text(entry)).await?;
        bytes += text.len();
        if bytes > SOURCE_BYTES_MAX {
            return Err(format!("its files have more than {} MiB together", SOURCE_BYTES_MAX / (1024 * 1024)));
        }
        if !request.source.signed_by.is_empty() {
            let beside = format!("{}{ENDING}", entry.path);
            let signature = match all.iter().find(|other| other.path == beside) {
                Some(signature) => Some(Box::pin(github.text(signature)).await?),
                None => None,
            };
            let signature = signature.filter(|text| text.len() <= SIGNATURE_BYTES_MAX);
            let name = entry.path.rsplit('/').next().unwrap_or(&entry.path);
            check(&request.source.signed_by, name, &text, signature.as_deref())?;
        }
        texts.insert(entry.path.clone(), text);
    }
    Ok(texts)
}

/// Whether the scanner would take a file at `path`, if `root` were a folder of this machine's.
fn is_wanted(settings: &ProfilesSettings, root: &str, path: &str) -> bool {
    if !super::origin::is_inside(path) {
        return false;
    }
    let ends = settings.extensions.iter().any(|ending| path.ends_with(ending.as_str()));
    if path == root {
        return ends;
    }
    let inside =
        if root.is_empty() { Some(path) } else { path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) };
    let Some(inside) = inside else { return false };
    let steps: Vec<&str> = inside.split('/').collect();
    let shallow = steps.len() as u64 <= settings.depth_max.saturating_add(1);
    let hidden = steps.iter().any(|step| step.starts_with('.')) && !settings.hidden;
    let covered = |patterns: &[String]| patterns.iter().any(|pattern| glob::path(pattern, &steps));
    let folder_out = |pattern: &String| {
        let folder = pattern.strip_suffix("/**").filter(|folder| !folder.contains('/'));
        folder.is_some_and(|folder| steps[..steps.len() - 1].iter().any(|step| glob(folder, step)))
    };
    ends && shallow
        && !hidden
        && !covered(&settings.exclude)
        && !settings.exclude.iter().any(folder_out)
        && (settings.include.is_empty() || covered(&settings.include))
}

impl RemoteSettings {
    /// What is wrong with one source.
    pub(crate) fn fault(&self) -> Option<(&'static str, String)> {
        if let Err(error) = Origin::parse(&self.from) {
            return Some(("from", error.to_string()));
        }
        let key = self.signed_by.iter().find_map(|key| super::signature::key_fault(key));
        key.map(|why| ("signed_by", why))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{allowed, is_wanted, reach};
    use crate::settings::ProfilesSettings;

    #[test]
    fn cfg_4_files_of_a_repository_are_taken_as_the_scanner_would() {
        let settings = ProfilesSettings::default();
        for (root, path) in
            [("", "dev.md"), ("team", "team/a/b/c/dev.md"), ("team/dev.md", "team/dev.md"), ("t", "t/x.txt")]
        {
            assert!(is_wanted(&settings, root, path), "{root} {path}");
        }
        for (root, path) in [
            ("team", "teams/dev.md"),
            ("team", "dev.md"),
            ("", "a/b/c/d/dev.md"),
            ("", ".github/x.md"),
            ("", "x.rs"),
            ("", "node_modules/x.md"),
            ("", "sub/node_modules/x.md"),
            ("", "../x.md"),
            ("", "a/../../x.md"),
            ("", "x.md.backup"),
        ] {
            assert!(!is_wanted(&settings, root, path), "{root} {path}");
        }
    }

    /// CFG-4: only hosts that the operator named, over TLS.
    #[test]
    fn cfg_4_hosts_are_those_of_the_list() {
        let settings = ProfilesSettings {
            remote_hosts: vec!["a.example".to_owned(), "*.team.example".to_owned()],
            ..ProfilesSettings::default()
        };
        for url in ["https://a.example/x.md", "https://A.example:8443/x.md", "https://x.team.example/x.md"] {
            assert!(allowed(&settings, url).is_ok(), "{url}");
        }
        for url in [
            "http://a.example/x.md",
            "https://b.example/x.md",
            "https://a.example.evil.example/x.md",
            "https://team.example/x.md",
            "https://a.example@b.example/x.md",
            "https://127.0.0.1/x.md",
            "https://[::1]/x.md",
            "file:///etc/passwd",
        ] {
            assert!(allowed(&settings, url).is_err(), "{url}");
        }
        assert!(reach(&settings, "http://127.0.0.1/").is_err());
    }
}
