//! The name of a server behind the hub, which is also the prefix of its tools' names.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Longest server name, so that `server__tool` leaves half of the 64 characters that clients accept to the tool.
const LENGTH_MAX: usize = 32;

/// A server's name: 1 to 32 characters of `[A-Za-z0-9_-]`, beginning with a letter or digit.
///
/// It holds no `__` and does not end in `_`, so that `server__tool` can be taken apart in one way only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerName(Arc<str>);

/// Why a text is no server name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerNameError {
    /// Empty, or longer than 32 characters.
    Length,
    /// A character outside `[A-Za-z0-9_-]`, or a first one that is no letter or digit.
    Character,
    /// `__` within, or `_` at the end.
    Separator,
}

impl fmt::Display for ServerNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a server name has 1 to 32 characters",
            Self::Character => {
                "a server name is made of letters, digits, `-` and `_`, and begins with a letter or digit"
            }
            Self::Separator => {
                "a server name has no `__` within and no `_` at its end, since `__` parts it from a tool's name"
            }
        })
    }
}

impl std::error::Error for ServerNameError {}

impl ServerName {
    /// Checks `text`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ServerNameError> {
        if text.is_empty() || text.len() > LENGTH_MAX {
            return Err(ServerNameError::Length);
        }
        let bytes = text.as_bytes();
        if !bytes[0].is_ascii_alphanumeric()
            || !bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_')
        {
            return Err(ServerNameError::Character);
        }
        if text.contains("__") || text.ends_with('_') {
            return Err(ServerNameError::Separator);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ServerName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{ServerName, ServerNameError};

    #[test]
    fn names_that_part_in_one_way_only() {
        for good in ["a", "files", "my-server", "a_b", "9", "A1-b_c"] {
            assert!(ServerName::parse(good).is_ok(), "{good}");
        }
        let long = "x".repeat(33);
        for (bad, why) in [
            ("", ServerNameError::Length),
            (long.as_str(), ServerNameError::Length),
            ("-a", ServerNameError::Character),
            ("_a", ServerNameError::Character),
            ("a b", ServerNameError::Character),
            ("a:b", ServerNameError::Character),
            ("é", ServerNameError::Character),
            ("a__b", ServerNameError::Separator),
            ("a_", ServerNameError::Separator),
        ] {
            assert_eq!(ServerName::parse(bad), Err(why), "{bad}");
        }
    }
}
