//! What stands between the braces of `${VAULT:db/main:password}`: the source, the name there, a field, a default.

use std::fmt;

/// Bytes between the braces.
pub const REFERENCE_BYTES_MAX: usize = 1024;

/// Where a value is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The provider that the configuration names first, then its fallback.
    Secret,
    /// The hub's environment.
    Env,
    /// The operating system's keychain.
    Keychain,
    /// Vault or OpenBao.
    Vault,
    /// A file.
    File,
    /// The hub's own encrypted store.
    Store,
}

/// All sources.
const SOURCES: [Source; 6] =
    [Source::Secret, Source::Env, Source::Keychain, Source::Vault, Source::File, Source::Store];

impl Source {
    /// The word before the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "SECRET",
            Self::Env => "ENV",
            Self::Keychain => "KEYCHAIN",
            Self::Vault => "VAULT",
            Self::File => "FILE",
            Self::Store => "STORE",
        }
    }

    /// The source of this word.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        SOURCES.into_iter().find(|source| source.as_str() == name)
    }
}

/// A reference to one value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// Where it is looked for.
    pub source: Source,
    /// Its name there.
    pub path: String,
    /// The field of it that is meant, where the value is JSON.
    pub field: Option<String>,
}

impl Reference {
    /// Reads what stands between the braces; also the default after `:-`.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse(inner: &str) -> Result<(Self, Option<&str>), String> {
        if inner.len() > REFERENCE_BYTES_MAX {
            return Err(format!("a reference has at most {REFERENCE_BYTES_MAX} bytes"));
        }
        if inner.contains("${") {
            return Err("a reference holds no other one; write `$${` for the characters themselves".to_owned());
        }
        let (word, rest) =
            inner.split_once(':').filter(|(word, _)| !word.is_empty()).ok_or_else(|| no_source(inner))?;
        let source = Source::of_name(word).ok_or_else(|| unknown_source(word))?;
        let (name, default) = match rest.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (rest, None),
        };
        let (path, field) = match source {
            // As the system we inherit writes it: the account, then the field.
            Source::Keychain => split(name, '/'),
            Source::Env => (name, None),
            _ => split(name, ':'),
        };
        if field == Some("") {
            return Err(format!("`${{{word}:{name}}}` names no field after its last separator"));
        }
        path_fault(source, path).map_or(Ok(()), Err)?;
        Ok((Self { source, path: path.to_owned(), field: field.map(str::to_owned) }, default))
    }

    /// The same, looked for elsewhere.
    #[must_use]
    pub fn at(&self, source: Source) -> Self {
        Self { source, ..self.clone() }
    }
}

fn split(name: &str, separator: char) -> (&str, Option<&str>) {
    match name.split_once(separator) {
        Some((path, field)) => (path, Some(field)),
        None => (name, None),
    }
}

fn path_fault(source: Source, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(format!("`${{{}:…}}` needs a name after the colon", source.as_str()));
    }
    if path.chars().any(char::is_control) {
        return Some("a reference holds no control characters".to_owned());
    }
    let variable = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if source == Source::Env && (!path.chars().all(variable) || path.starts_with(|c: char| c.is_ascii_digit())) {
        return Some(format!("`{path}` is not the name of a variable: letters, digits and `_`"));
    }
    None
}

fn no_source(inner: &str) -> String {
    if is_word(inner) {
        format!(
            "`${{{inner}}}` means nothing here: write `${{ENV:{inner}}}` for the variable, \
             or `$${{{inner}}}` for the characters themselves"
        )
    } else {
        "after `${` comes a source and a name, as in `ENV:NAME}`; write `$${` for the characters themselves".to_owned()
    }
}

fn unknown_source(word: &str) -> String {
    if !is_word(word) {
        return no_source("");
    }
    let known = SOURCES.map(Source::as_str).join(", ");
    format!(
        "`${{{word}:…}}` names a source of values that is not there; there are {known} \
         (write `$${{` for the characters themselves)"
    )
}

fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// As it is written, without its default.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{}:{}", self.source.as_str(), self.path)?;
        if let Some(field) = &self.field {
            write!(f, "{}{field}", if self.source == Source::Keychain { '/' } else { ':' })?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Reference, Source};

    #[test]
    fn cfg_5_every_form_is_read_and_written_back() {
        for (inner, source, path, field, default) in [
            ("SECRET:api-key", Source::Secret, "api-key", None, None),
            ("SECRET:db:password", Source::Secret, "db", Some("password"), None),
            ("ENV:HOME", Source::Env, "HOME", None, None),
            ("ENV:db/password", Source::Env, "db/password", None, None),
            ("ENV:A:-b:-c", Source::Env, "A", None, Some("b:-c")),
            ("ENV:A:-", Source::Env, "A", None, Some("")),
            ("KEYCHAIN:ada", Source::Keychain, "ada", None, None),
            ("KEYCHAIN:ada/token", Source::Keychain, "ada", Some("token"), None),
            ("VAULT:db/main", Source::Vault, "db/main", None, None),
            ("VAULT:db/main:users.0.name:-x", Source::Vault, "db/main", Some("users.0.name"), Some("x")),
            ("FILE:/run/secrets/db", Source::File, "/run/secrets/db", None, None),
            ("STORE:github token", Source::Store, "github token", None, None),
        ] {
            let (reference, found) = Reference::parse(inner).unwrap();
            assert_eq!((reference.source, reference.path.as_str()), (source, path), "{inner}");
            assert_eq!((reference.field.as_deref(), found), (field, default), "{inner}");
            let written = reference.to_string();
            let again = Reference::parse(&written[2..written.len() - 1]).unwrap();
            assert_eq!(again, (reference, None), "{inner}");
        }
    }

    #[test]
    fn cfg_5_what_is_no_reference_says_what_to_write() {
        for (inner, part) in [
            ("HOME", "write `${ENV:HOME}`"),
            ("", "after `${` comes"),
            (":x", "after `${` comes"),
            ("a b:x", "after `${` comes"),
            ("AWS:x", "`${AWS:…}` names a source"),
            ("env:HOME", "`${env:…}` names a source"),
            ("ENV:", "needs a name"),
            ("ENV:a b", "not the name of a variable"),
            ("ENV:1A", "not the name of a variable"),
            ("VAULT:", "needs a name"),
            ("VAULT:db:", "names no field"),
            ("VAULT:${ENV:A", "holds no other one"),
            ("STORE:a\nb", "control characters"),
        ] {
            let why = Reference::parse(inner).unwrap_err();
            assert!(why.contains(part), "{inner}: {why}");
        }
        assert!(Reference::parse(&format!("STORE:{}", "a".repeat(1024))).is_err());
    }
}
