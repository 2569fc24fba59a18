//! Reading an index, in the parts that a query needs, each authenticated before it is believed.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::index::builder::IndexBuilder;
use crate::index::key::{IndexKey, MAC_BYTES, Part, Tag};
use crate::index::layout::{
    Block, Covered, ELSEWHERE, ENTRY_BYTES, HEADER_BYTES, Header, INLINE_BYTES, PAGE_TAGS, read_blocks,
};
use crate::index::postings::{Postings, places};

/// Something that can be read at a place.
pub trait ReadAt {
    /// Fills `bytes` from `at` on, or fails.
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
    /// Bytes in all.
    fn size(&self) -> io::Result<u64>;
}

impl ReadAt for File {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, bytes, at)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for &[u8] {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)?.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(bytes, at)
    }

    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }
}

/// Why an index cannot be used. It is made anew then.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It cannot be read.
    #[error("the index cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It was not made by this hub from this segment, or was changed since.
    #[error("the index is damaged, forged, or made under another key")]
    Forged,
}

/// An index whose header is authentic.
#[derive(Debug)]
pub struct Index<R> {
    source: R,
    key: IndexKey,
    header: Header,
}

impl<R: ReadAt> Index<R> {
    /// Reads the header of the index of the segment whose first record has the index `first`.
    pub fn open(source: R, key: IndexKey, first: u64) -> Result<Self, IndexError> {
        let mut bytes = [0; HEADER_BYTES];
        source.read_exact_at(&mut bytes, 0)?;
        let (body, mac) = bytes.split_at(HEADER_BYTES - MAC_BYTES);
        let header = Header::read(body).ok_or(IndexError::Forged)?;
        let expected = key.mac(Part::Header, header.covered.records, body);
        verify_slices_are_equal(&expected, mac).map_err(|_| IndexError::Forged)?;
        if header.covered.first != first || header.file_bytes() != source.size()? {
            return Err(IndexError::Forged);
        }
        Ok(Self { source, key, header })
    }

    /// What it covers.
    #[must_use]
    pub const fn covered(&self) -> &Covered {
        &self.header.covered
    }

    pub(crate) const fn key(&self) -> &IndexKey {
        &self.key
    }

    /// Its blocks.
    pub fn blocks(&self) -> Result<Vec<Block>, IndexError> {
        let bytes = self.part(Part::Blocks, HEADER_BYTES as u64, self.header.blocks_bytes as usize)?;
        read_blocks(&bytes, self.header.covered.records, self.header.covered.end).ok_or(IndexError::Forged)
    }

    /// The records that a tag is on, as places in the segment, rising.
    pub fn places(&self, tag: Tag) -> Result<Vec<u32>, IndexError> {
        match self.entry(tag)? {
            Some(place) => {
                let list = self.list(tag, place)?;
                places(&list, self.header.covered.records).ok_or(IndexError::Forged)
            }
            None => Ok(Vec::new()),
        }
    }

    /// All of it, to make it grow.
    pub fn into_builder(self) -> Result<IndexBuilder, IndexError> {
        let _authentic = self.directory()?;
        let mut lists = HashMap::with_capacity(self.header.tags as usize);
        for page in 0..self.header.pages() {
            for entry in self.page(page)?.as_chunks::<ENTRY_BYTES>().0 {
                let (tag, place) = split(entry);
                let list = Postings::read(&self.list(tag, place)?, self.header.covered.records);
                lists.insert(tag, list.ok_or(IndexError::Forged)?);
            }
        }
        Ok(IndexBuilder { covered: self.header.covered, blocks: self.blocks()?, lists })
    }

    fn entry(&self, tag: Tag) -> Result<Option<[u8; 8]>, IndexError> {
        let directory = self.directory()?;
        let after = directory.as_chunks::<8>().0.partition_point(|first| *first <= tag.0);
        let Some(page) = after.checked_sub(1).and_then(|page| u32::try_from(page).ok()) else { return Ok(None) };
        let page = self.page(page)?;
        let entries = page.as_chunks::<ENTRY_BYTES>().0;
        Ok(entries.binary_search_by_key(&tag, |entry| split(entry).0).ok().map(|at| split(&entries[at]).1))
    }

    fn directory(&self) -> Result<Vec<u8>, IndexError> {
        self.part(Part::Directory, self.header.directory_at(), self.header.pages() as usize * 8)
    }

    fn page(&self, page: u32) -> Result<Vec<u8>, IndexError> {
        let bytes = self.header.on_page(page) as usize * ENTRY_BYTES;
        debug_assert!(bytes <= PAGE_TAGS as usize * ENTRY_BYTES, "a page has a bound");
        self.part(Part::Page(page), self.header.page_at(page), bytes)
    }

    fn list(&self, tag: Tag, place: [u8; 8]) -> Result<Vec<u8>, IndexError> {
        let [kind, a, b, c, d, x, y, z] = place;
        if kind != ELSEWHERE {
            let bytes = usize::from(kind);
            return if bytes <= INLINE_BYTES { Ok(place[1..=bytes].to_vec()) } else { Err(IndexError::Forged) };
        }
        let (at, bytes) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([0, x, y, z]));
        if u64::from(at) + u64::from(bytes) + MAC_BYTES as u64 > u64::from(self.header.lists_bytes) {
            return Err(IndexError::Forged);
        }
        self.part(Part::List(tag), self.header.lists_at() + u64::from(at), bytes as usize)
    }

    /// One part, authentic. Its length is bounded by the file's, which the header fits.
    fn part(&self, part: Part, at: u64, length: usize) -> Result<Vec<u8>, IndexError> {
        let mut bytes = vec![0; length + MAC_BYTES];
        self.source.read_exact_at(&mut bytes, at)?;
        let mac = bytes.split_off(length);
        let expected = self.key.mac(part, self.header.covered.records, &bytes);
        verify_slices_are_equal(&expected, &mac).map_err(|_| IndexError::Forged)?;
        Ok(bytes)
    }
}

fn split(entry: &[u8; ENTRY_BYTES]) -> (Tag, [u8; 8]) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *entry;
    (Tag([a, b, c, d, e, f, g, h]), rest)
}

#[cfg(test)]
mod tests;
