//! The name of a profile, which is also the end of its path (`/mcp/p/NAME`).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Longest name.
const LENGTH_MAX: usize = 64;

/// The name of a file whose folder gives the profile its own.
pub(crate) const NAMED_BY_FOLDER: &str = "CLAUDE";

/// A profile's name: 1 to 64 characters of `[A-Za-z0-9_-]`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileName(Arc<str>);

/// Why a text is no profile's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileNameError;

impl fmt::Display for ProfileNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a profile's name has 1 to {LENGTH_MAX} letters, digits, `-` and `_`, and begins with a letter or digit"
        )
    }
}

impl std::error::Error for ProfileNameError {}

impl ProfileName {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it is no name.
    pub fn parse(text: &str) -> Result<Self, ProfileNameError> {
        let fits = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
            && text.len() <= LENGTH_MAX
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if fits { Ok(Self(Arc::from(text))) } else { Err(ProfileNameError) }
    }

    /// The name that a file's own name gives: other characters become `-`.
    ///
    /// # Errors
    /// When nothing is left of it.
    pub(crate) fn of_file(stem: &str) -> Result<Self, ProfileNameError> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let name: String = stem.chars().map(plain).collect();
        Self::parse(name.trim_matches(['-', '_']))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ProfileName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::ProfileName;

    #[test]
    fn cfg_2_a_file_gives_its_name() {
        assert_eq!(ProfileName::of_file("dev-assistant").unwrap().as_str(), "dev-assistant");
        assert_eq!(ProfileName::of_file("my profile v1.2").unwrap().as_str(), "my-profile-v1-2");
        assert_eq!(ProfileName::of_file(".hidden").unwrap().as_str(), "hidden");
        assert!(ProfileName::of_file("…").is_err());
        let long = "x".repeat(65);
        for bad in ["", "-a", "_a", "a b", "a/b", "..", "a.b", "é", long.as_str()] {
            assert!(ProfileName::parse(bad).is_err(), "{bad}");
        }
    }
}
