//! The two keys of a segment's index: one blinds what records are found by, one authenticates the file.

use aws_lc_rs::hmac;

/// Bytes of a MAC in the file.
pub(crate) const MAC_BYTES: usize = 16;

/// What records are found by, blinded: a field's name and value under the segment's key. Two values may share one by chance,
/// which is noticed when the record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub(crate) [u8; 8]);

/// The keys of one segment's index.
#[derive(Clone)]
pub struct IndexKey {
    tags: hmac::Key,
    parts: hmac::Key,
}

impl IndexKey {
    /// From a secret that belongs to this segment alone, so that a tag of one tells nothing about another.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, label).as_ref());
        Self { tags: derive(b"omni audit index: tags"), parts: derive(b"omni audit index: parts") }
    }

    /// The tag of what a field says.
    #[must_use]
    pub fn tag(&self, field: &str, value: &[u8]) -> Tag {
        let mut context = hmac::Context::with_key(&self.tags);
        context.update(&(field.len() as u64).to_be_bytes());
        context.update(field.as_bytes());
        context.update(value);
        let mut tag = [0; 8];
        tag.copy_from_slice(&context.sign().as_ref()[..8]);
        Tag(tag)
    }

    /// The MAC of one part of the file of so many records: parts of an older file do not fit into a newer one.
    pub(crate) fn mac(&self, part: Part, records: u32, bytes: &[u8]) -> [u8; MAC_BYTES] {
        let (kind, number) = match part {
            Part::Header => (0_u8, 0),
            Part::Blocks => (1, 0),
            Part::Directory => (2, 0),
            Part::Page(number) => (3, u64::from(number)),
            Part::List(tag) => (4, u64::from_be_bytes(tag.0)),
        };
        let mut context = hmac::Context::with_key(&self.parts);
        context.update(&[kind]);
        context.update(&number.to_be_bytes());
        context.update(&records.to_be_bytes());
        context.update(bytes);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&context.sign().as_ref()[..MAC_BYTES]);
        mac
    }
}

/// A part of the file that is authenticated by itself, so that a query reads what it needs and no more.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Header,
    Blocks,
    Directory,
    Page(u32),
    List(Tag),
}

impl std::fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IndexKey")
    }
}
