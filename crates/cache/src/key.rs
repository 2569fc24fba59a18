//! What an entry is kept under: a digest, so that no name of a person or of a thing stands in a level.

use aws_lc_rs::digest::{Context, SHA256};

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The contents of a resource, as one kind of client is shown them.
    Resource,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Resource => "resource",
        }
    }
}

/// Whom an entry may serve (`cacheScope`, server/utilities/caching of 2026-07-28).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience<'a> {
    /// Whoever may ask.
    Public,
    /// Who has this authorization context, and nobody else.
    Private(&'a [u8]),
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of what `parts` name: equal only where kind, audience and each part are.
    #[must_use]
    pub fn of(kind: Kind, audience: Audience<'_>, parts: &[&[u8]]) -> Self {
        let mut digest = Context::new(&SHA256);
        // Each part with its length: what ends in one is not what begins the next.
        let mut add = |part: &[u8]| {
            digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(part);
        };
        add(kind.word().as_bytes());
        match audience {
            Audience::Public => add(b"public"),
            Audience::Private(whose) => {
                add(b"private");
                add(whose);
            }
        }
        parts.iter().for_each(|part| add(part));
        let mut key = [0; 32];
        key.copy_from_slice(digest.finish().as_ref());
        Self(key)
    }
}

/// What entries have in common that become wrong together: a server, a thing of a server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag([u8; 16]);

impl Tag {
    /// The tag of what `parts` name.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut digest = Context::new(&SHA256);
        for part in parts {
            digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(part.as_bytes());
        }
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest.finish().as_ref()[..16]);
        Self(tag)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::{Audience, Key, Kind, Tag};

    /// CACHE-4: two things, or two people, never meet in one key.
    #[test]
    fn cache_4_what_differs_has_another_key() {
        let of = |audience, parts: &[&[u8]]| Key::of(Kind::Resource, audience, parts);
        let keys = [
            of(Audience::Public, &[b"a", b"b"]),
            of(Audience::Public, &[b"ab", b""]),
            of(Audience::Public, &[b"", b"ab"]),
            of(Audience::Public, &[b"ab"]),
            of(Audience::Private(b"public"), &[b"ab"]),
            of(Audience::Private(b""), &[b"ab"]),
            of(Audience::Private(b"ann"), &[b"ab"]),
            of(Audience::Private(b"annab"), &[]),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(key), "{at}");
        }
        assert_ne!(Tag::of(&["server", "a"]), Tag::of(&["servera"]));
        assert_eq!(Tag::of(&["server", "a"]), Tag::of(&["server", "a"]));
    }
}
