//! Reading a segment, also while it is written.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::header::{SEGMENT_HEADER_LEN, SegmentHeader};
use crate::error::LogError;
use crate::frame::{self, Frame};

/// Bytes read at once; more than the longest frame.
const CHUNK: usize = 256 * 1024;

/// A segment that is read from its beginning, or from a place in it.
#[derive(Debug)]
pub struct Segment<R = File> {
    path: PathBuf,
    file: R,
    header: SegmentHeader,
    buffer: Vec<u8>,
    /// Where in the buffer the next frame begins.
    at: usize,
    /// Where in the file the next frame begins.
    offset: u64,
    next: u64,
}

/// A record as it is stored, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Its number in the log, by its place.
    pub index: u64,
    /// The byte of the segment its frame begins at.
    pub offset: u64,
    /// Its bytes: what the tree's leaf is the hash of.
    pub bytes: &'a [u8],
}

impl Segment {
    /// Opens a segment and reads its header.
    ///
    /// # Errors
    /// Where it cannot be read, or has no header.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        Self::of(File::open(path).map_err(|error| LogError::io("open", path, error))?, path)
    }
}

impl<R: Read + Seek> Segment<R> {
    /// Reads the header of a segment that is not a file, or is one that is open; `path` is what it is called.
    ///
    /// # Errors
    /// Where it cannot be read, or has no header.
    pub fn of(mut file: R, path: &Path) -> Result<Self, LogError> {
        let mut head = Vec::new();
        file.by_ref()
            .take(SEGMENT_HEADER_LEN as u64)
            .read_to_end(&mut head)
            .map_err(|error| LogError::io("read", path, error))?;
        let header = SegmentHeader::parse(&head).map_err(|error| LogError::damaged(path, 0, error.to_string()))?;
        let offset = SEGMENT_HEADER_LEN as u64;
        Ok(Self { path: path.to_owned(), file, header, buffer: Vec::new(), at: 0, offset, next: header.first })
    }

    /// What it says of itself.
    #[must_use]
    pub const fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The byte that the next record's frame begins at.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the next record.
    #[must_use]
    pub const fn next_index(&self) -> u64 {
        self.next
    }

    /// Goes on at `offset`, where the frame of record `index` begins. A wrong place is found by its checksum, a wrong
    /// index by the record's header.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn seek(&mut self, index: u64, offset: u64) -> Result<(), LogError> {
        self.file.seek(SeekFrom::Start(offset)).map_err(|error| LogError::io("read", &self.path, error))?;
        self.buffer.clear();
        self.at = 0;
        self.offset = offset;
        self.next = index;
        Ok(())
    }

    /// The next record; none at the end of what is written, also within a frame that is being written. Asked again
    /// later, it goes on.
    ///
    /// # Errors
    /// Where the file cannot be read, or the frame is not whole though more than it follows.
    pub fn next_record(&mut self) -> Result<Option<Stored<'_>>, LogError> {
        if matches!(frame::first(&self.buffer[self.at..]), Frame::Cut | Frame::End | Frame::Broken) {
            self.refill()?;
        }
        match frame::first(&self.buffer[self.at..]) {
            Frame::Whole(content) => {
                let (index, offset, begin) = (self.next, self.offset, self.at + frame::FRAME_HEAD_LEN);
                let end = begin + content.len();
                self.offset += (end - self.at) as u64;
                self.at = end;
                self.next += 1;
                Ok(Some(Stored { index, offset, bytes: &self.buffer[begin..end] }))
            }
            Frame::End | Frame::Cut => Ok(None),
            Frame::Broken => Err(LogError::damaged(
                &self.path,
                self.offset,
                format!("the checksum of record {} does not fit", self.next),
            )),
        }
    }

    /// Goes on behind a frame whose checksum does not fit, where its length leads to one that does. False where it leads to
    /// nothing.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn skip_broken(&mut self) -> Result<bool, LogError> {
        self.refill()?;
        let Some(head) = self.buffer.first_chunk::<{ frame::FRAME_HEAD_LEN }>() else { return Ok(false) };
        let length = frame::FRAME_HEAD_LEN + usize::from(u16::from_be_bytes([head[0], head[1]]));
        let rest = self.buffer.get(length..).unwrap_or_default();
        let leads =
            length > frame::FRAME_HEAD_LEN && (matches!(frame::first(rest), Frame::Whole(_)) || rest.is_empty());
        if leads && self.buffer.len() >= length {
            self.at = length;
            self.offset += length as u64;
            self.next += 1;
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether bytes stand after the last whole record: a torn write, or one that is being made.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.at < self.buffer.len()
    }

    fn refill(&mut self) -> Result<(), LogError> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let room = CHUNK.saturating_sub(self.buffer.len());
        self.file
            .by_ref()
            .take(room as u64)
            .read_to_end(&mut self.buffer)
            .map_err(|error| LogError::io("read", &self.path, error))?;
        Ok(())
    }
}
