//! The bytes of an index: header, table of blocks, directory, pages of tags, lists.
//!
//! ```text
//! header      magic, covered, lengths                                  112 bytes, MAC
//! blocks      of each 64 records: where they begin, their times        MAC
//! directory   the first tag of each page                               MAC
//! pages       256 tags each, rising: tag, and its list or where it is  MAC each
//! lists       those that do not fit beside their tag                   MAC each
//! ```

use crate::index::key::MAC_BYTES;
use crate::index::postings::{put_varint, take_varint};

/// Records of a block. Within one they are found by walking over those before, so it is as short as the table's size allows.
pub const BLOCK_RECORDS: u32 = 64;
/// Tags of a page: what a query reads to find one.
pub(crate) const PAGE_TAGS: u32 = 256;
/// Bytes of a tag's entry: the tag, and its list or where it is.
pub(crate) const ENTRY_BYTES: usize = 16;
/// Longest list that stands beside its tag.
pub(crate) const INLINE_BYTES: usize = 7;
/// Says that the list stands elsewhere.
pub(crate) const ELSEWHERE: u8 = 0xff;
/// Longest list: its length is kept in three bytes.
pub(crate) const LIST_BYTES_MAX: usize = (1 << 24) - 1;

const MAGIC: &[u8; 8] = b"omniidx1";
const BODY_BYTES: usize = 96;
/// Bytes of the header, with its MAC.
pub(crate) const HEADER_BYTES: usize = BODY_BYTES + MAC_BYTES;

/// Which part of the log an index speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// Index, in the log, of the segment's first record.
    pub first: u64,
    /// Records, from the first on.
    pub records: u32,
    /// Where in the segment the first record begins that is not covered.
    pub end: u64,
    /// Time of the earliest (microseconds since 1970, UTC).
    pub from_us: i64,
    /// Time of the latest.
    pub until_us: i64,
    /// Where in the segment the last record begins.
    pub last_offset: u64,
    /// Hash of the last record: an index of another history does not fit.
    pub last_leaf: [u8; 32],
}

/// Where a block of records begins, and their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Where in the segment its first record begins.
    pub offset: u64,
    /// Time of its earliest record.
    pub from_us: i64,
    /// Time of its latest.
    pub until_us: i64,
}

/// The header's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) covered: Covered,
    pub(crate) blocks_bytes: u32,
    pub(crate) tags: u32,
    pub(crate) lists_bytes: u32,
}

impl Header {
    pub(crate) fn write(&self) -> [u8; BODY_BYTES] {
        let mut bytes = [0; BODY_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.covered.first.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.covered.end.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.covered.from_us.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.covered.until_us.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.covered.records.to_be_bytes());
        bytes[44..48].copy_from_slice(&self.blocks_bytes.to_be_bytes());
        bytes[48..52].copy_from_slice(&self.tags.to_be_bytes());
        bytes[52..56].copy_from_slice(&self.lists_bytes.to_be_bytes());
        bytes[56..64].copy_from_slice(&self.covered.last_offset.to_be_bytes());
        bytes[64..96].copy_from_slice(&self.covered.last_leaf);
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != BODY_BYTES || !bytes.starts_with(MAGIC) {
            return None;
        }
        let long = |at: usize| bytes[at..at + 8].try_into().ok().map(u64::from_be_bytes);
        let short = |at: usize| bytes[at..at + 4].try_into().ok().map(u32::from_be_bytes);
        let covered = Covered {
            first: long(8)?,
            end: long(16)?,
            from_us: long(24)?.cast_signed(),
            until_us: long(32)?.cast_signed(),
            records: short(40)?,
            last_offset: long(56)?,
            last_leaf: bytes[64..96].try_into().ok()?,
        };
        Some(Self { covered, blocks_bytes: short(44)?, tags: short(48)?, lists_bytes: short(52)? })
    }

    pub(crate) const fn pages(&self) -> u32 {
        self.tags.div_ceil(PAGE_TAGS)
    }

    /// Tags on one page.
    pub(crate) fn on_page(&self, page: u32) -> u32 {
        self.tags.saturating_sub(page.saturating_mul(PAGE_TAGS)).min(PAGE_TAGS)
    }

    pub(crate) const fn directory_at(&self) -> u64 {
        (HEADER_BYTES + self.blocks_bytes as usize + MAC_BYTES) as u64
    }

    pub(crate) fn page_at(&self, page: u32) -> u64 {
        let full = u64::from(PAGE_TAGS) * ENTRY_BYTES as u64 + MAC_BYTES as u64;
        self.directory_at() + u64::from(self.pages()) * 8 + MAC_BYTES as u64 + u64::from(page) * full
    }

    pub(crate) fn lists_at(&self) -> u64 {
        let macs = u64::from(self.pages()) * MAC_BYTES as u64;
        self.page_at(0) + u64::from(self.tags) * ENTRY_BYTES as u64 + macs
    }

    /// Bytes of the whole file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.lists_at() + u64::from(self.lists_bytes)
    }
}

/// The table of blocks, each as what it adds to the one before.
pub(crate) fn write_blocks(blocks: &[Block]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(blocks.len() * 10);
    let (mut offset, mut time) = (0, 0_i64);
    for block in blocks {
        put_varint(&mut bytes, block.offset.saturating_sub(offset));
        let step = block.from_us.wrapping_sub(time);
        put_varint(&mut bytes, ((step << 1) ^ (step >> 63)).cast_unsigned());
        put_varint(&mut bytes, block.until_us.wrapping_sub(block.from_us).cast_unsigned());
        (offset, time) = (block.offset, block.from_us);
    }
    bytes
}

/// Reads the table of blocks of so many records, which end at `end`.
pub(crate) fn read_blocks(mut bytes: &[u8], records: u32, end: u64) -> Option<Vec<Block>> {
    let count = records.div_ceil(BLOCK_RECORDS) as usize;
    let mut blocks = Vec::with_capacity(count.min(bytes.len()));
    let (mut offset, mut time) = (0_u64, 0_i64);
    for _ in 0..count {
        offset = offset.checked_add(take_varint(&mut bytes)?).filter(|offset| *offset < end)?;
        let step = take_varint(&mut bytes)?;
        time = time.wrapping_add((step >> 1).cast_signed() ^ -((step & 1).cast_signed()));
        let until_us = time.wrapping_add(take_varint(&mut bytes)?.cast_signed());
        blocks.push(Block { offset, from_us: time, until_us });
    }
    bytes.is_empty().then_some(blocks)
}
