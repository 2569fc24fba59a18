//! Where profiles of others are: `github:OWNER/REPO[/PATH]@REF`, or an `https://` address of one file.

use std::fmt;

/// Longest reference.
const BYTES_MAX: usize = 1_024;

/// Where profiles come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Files of a repository.
    GitHub {
        /// Whose it is.
        owner: String,
        /// How it is called.
        repository: String,
        /// A file or folder in it; empty is all of it.
        path: String,
        /// A branch, tag or commit.
        reference: String,
    },
    /// One file.
    Https {
        /// Its address.
        url: String,
    },
}

/// Why a text names no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError(String);

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OriginError {}

impl Origin {
    /// Reads `text`.
    ///
    /// # Errors
    /// When it names no place.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let wrong = |why: &str| OriginError(format!("`{text}`: {why}"));
        if text.len() > BYTES_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(OriginError(format!("a source has at most {BYTES_MAX} characters, no spaces")));
        }
        if text.starts_with("https://") {
            let target = omni_egress::Target::parse(text).map_err(|error| OriginError(error.to_string()))?;
            let path = target.path().path();
            if path.ends_with('/') || !path.contains('.') {
                return Err(wrong("name a file, such as `https://host/team/reviewer.md`"));
            }
            return Ok(Self::Https { url: text.to_owned() });
        }
        let Some(rest) = text.strip_prefix("github:") else {
            return Err(wrong("write `github:OWNER/REPO[/PATH]@REF` or `https://HOST/FILE.md`"));
        };
        let Some((place, reference)) = rest.split_once('@') else {
            return Err(wrong("the branch, tag or commit is missing: end it with `@main` or such"));
        };
        let mut steps = place.splitn(3, '/');
        let (owner, repository) = (steps.next().unwrap_or_default(), steps.next().unwrap_or_default());
        let path = steps.next().unwrap_or_default().trim_end_matches('/');
        let name = |name: &str| {
            !name.is_empty()
                && name != "."
                && name != ".."
                && name.len() <= 100
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        if !name(owner) || !name(repository) {
            return Err(wrong("owner and repository are letters, digits, `-`, `_` and `.`"));
        }
        if !path.is_empty() && !is_inside(path) {
            return Err(wrong("the path has no empty step, no `.` and no `..`"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
        if !is_inside(reference) || !reference.bytes().all(plain) || reference.contains("..") {
            return Err(wrong("the reference is letters, digits, `-`, `_`, `.` and `/`"));
        }
        let [owner, repository, path, reference] = [owner, repository, path, reference].map(str::to_owned);
        Ok(Self::GitHub { owner, repository, path, reference })
    }
}

/// Whether every step of `path` leads further in.
pub(super) fn is_inside(path: &str) -> bool {
    path.split('/').all(|step| !step.is_empty() && step != "." && step != ".." && !step.contains(['\\', '\0']))
}

/// `path` as it stands in a URL.
pub(super) fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&omni_types::hex(&[byte]).to_ascii_uppercase());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Origin, encoded};

    #[test]
    fn cfg_4_places_are_read_or_refused() {
        let github = |owner: &str, repository: &str, path: &str, reference: &str| {
            let [owner, repository, path, reference] = [owner, repository, path, reference].map(str::to_owned);
            Origin::GitHub { owner, repository, path, reference }
        };
        for (text, origin) in [
            ("github:acme/profiles@main", github("acme", "profiles", "", "main")),
            ("github:acme/p.x/team/a b@v1".replace(' ', "-").as_str(), github("acme", "p.x", "team/a-b", "v1")),
            ("github:acme/profiles/team/@feature/x", github("acme", "profiles", "team", "feature/x")),
        ] {
            assert_eq!(Origin::parse(text).unwrap(), origin, "{text}");
        }
        assert!(matches!(Origin::parse("https://a.example/x/dev.md?v=1").unwrap(), Origin::Https { .. }));
        for bad in [
            "github:acme/profiles",
            "github:acme@main",
            "github:/x@main",
            "github:a/b/../c@main",
            "github:a/b/c//d@main",
            "github:../b@main",
            "github:a/..@main",
            "github:a/b@",
            "github:a/b@../x",
            "github:a/b@x..y",
            "github:a/b@a b",
            "github:a/b@x?y",
            "github:a/b@main@x",
            "http://a.example/x.md",
            "https://a.example/",
            "https://u:p@a.example/x.md",
            "ssh://x/y.md",
            "file:///etc/passwd",
            "",
            "a.md",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(encoded("a b/ü#?.md"), "a%20b/%C3%BC%23%3F.md");
    }
}
