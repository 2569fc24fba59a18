//! Making an index from a segment's records, or making one grow.

use std::collections::HashMap;

use crate::index::key::{IndexKey, Part, Tag};
use crate::index::layout::{
    BLOCK_RECORDS, Block, Covered, ELSEWHERE, ENTRY_BYTES, Header, INLINE_BYTES, LIST_BYTES_MAX, PAGE_TAGS,
    write_blocks,
};
use crate::index::postings::Postings;

/// An index that is being made.
#[derive(Debug)]
pub struct IndexBuilder {
    pub(crate) covered: Covered,
    pub(crate) blocks: Vec<Block>,
    pub(crate) lists: HashMap<Tag, Postings>,
}

/// A record, and where it stands in its segment.
#[derive(Debug, Clone, Copy)]
pub struct Placed {
    /// Where it begins.
    pub offset: u64,
    /// Where the next begins.
    pub end: u64,
    /// When it was written (microseconds since 1970, UTC).
    pub time_us: i64,
    /// Its hash in the tree.
    pub leaf: [u8; 32],
}

impl IndexBuilder {
    /// Of a segment whose first record has this index, of which none is covered yet.
    #[must_use]
    pub fn new(first: u64) -> Self {
        let covered = Covered {
            first,
            records: 0,
            end: 0,
            from_us: i64::MAX,
            until_us: i64::MIN,
            last_offset: 0,
            last_leaf: [0; 32],
        };
        Self { covered, blocks: Vec::new(), lists: HashMap::new() }
    }

    /// What is covered so far.
    #[must_use]
    pub const fn covered(&self) -> &Covered {
        &self.covered
    }

    /// Adds the next record, and what it is found by.
    pub fn push(&mut self, record: &Placed, tags: impl IntoIterator<Item = Tag>) {
        let Placed { offset, end, time_us, leaf } = *record;
        let place = self.covered.records;
        match self.blocks.last_mut() {
            Some(block) if !place.is_multiple_of(BLOCK_RECORDS) => {
                block.from_us = block.from_us.min(time_us);
                block.until_us = block.until_us.max(time_us);
            }
            _ => self.blocks.push(Block { offset, from_us: time_us, until_us: time_us }),
        }
        for tag in tags {
            self.lists.entry(tag).or_default().push(place);
        }
        self.covered.records += 1;
        self.covered.end = end;
        self.covered.from_us = self.covered.from_us.min(time_us);
        self.covered.until_us = self.covered.until_us.max(time_us);
        self.covered.last_offset = offset;
        self.covered.last_leaf = leaf;
    }

    /// The file's bytes; `None` when a list is longer than one can be, which a segment of the log's size cannot bring about.
    #[must_use]
    pub fn finish(&self, key: &IndexKey) -> Option<Vec<u8>> {
        let records = self.covered.records;
        let mut sorted: Vec<(&Tag, &Postings)> = self.lists.iter().collect();
        sorted.sort_unstable_by_key(|(tag, _)| **tag);
        let mut lists = Vec::new();
        let mut entries = Vec::with_capacity(sorted.len() * ENTRY_BYTES);
        for (tag, list) in &sorted {
            let bytes = list.as_bytes();
            entries.extend_from_slice(&tag.0);
            let mut place = [0; 8];
            if bytes.len() <= INLINE_BYTES {
                place[0] = bytes.len() as u8;
                place[1..=bytes.len()].copy_from_slice(bytes);
            } else {
                let at = u32::try_from(lists.len()).ok().filter(|_| bytes.len() <= LIST_BYTES_MAX)?;
                place[0] = ELSEWHERE;
                place[1..5].copy_from_slice(&at.to_be_bytes());
                place[5..].copy_from_slice(&(bytes.len() as u32).to_be_bytes()[1..]);
                lists.extend_from_slice(bytes);
                lists.extend_from_slice(&key.mac(Part::List(**tag), records, bytes));
            }
            entries.extend_from_slice(&place);
        }
        let blocks = write_blocks(&self.blocks);
        let header = Header {
            covered: self.covered,
            blocks_bytes: u32::try_from(blocks.len()).ok()?,
            tags: u32::try_from(sorted.len()).ok()?,
            lists_bytes: u32::try_from(lists.len()).ok()?,
        };
        let mut file = Vec::with_capacity(usize::try_from(header.file_bytes()).ok()?);
        let mut part = |bytes: &[u8], part| {
            file.extend_from_slice(bytes);
            file.extend_from_slice(&key.mac(part, records, bytes));
        };
        part(&header.write(), Part::Header);
        part(&blocks, Part::Blocks);
        let pages = || entries.chunks(PAGE_TAGS as usize * ENTRY_BYTES);
        part(&pages().flat_map(|page| page[..8].iter().copied()).collect::<Vec<_>>(), Part::Directory);
        for (number, page) in pages().enumerate() {
            part(page, Part::Page(u32::try_from(number).ok()?));
        }
        file.extend_from_slice(&lists);
        Some(file)
    }
}
