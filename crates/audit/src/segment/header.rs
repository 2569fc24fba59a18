//! The header of a segment.

use crate::error::LogError;
use crate::record::KeyId;

/// Bytes of a segment's header.
pub const SEGMENT_HEADER_LEN: usize = 64;
const MAGIC: [u8; 8] = *b"OMNISEG1";

/// What a segment says of itself. For reading only: what is believed is the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The log it belongs to.
    pub log: [u8; 16],
    /// The index of its first record.
    pub first: u64,
    /// When it was begun: microseconds since 1970, UTC.
    pub opened_us: u64,
    /// Until when its records are to be kept: microseconds since 1970, UTC.
    pub retain_until_us: u64,
    /// The key its records are sealed with.
    pub data_key: KeyId,
}

impl SegmentHeader {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(&self.log);
        bytes[24..32].copy_from_slice(&self.first.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.opened_us.to_be_bytes());
        bytes[40..48].copy_from_slice(&self.retain_until_us.to_be_bytes());
        bytes[48..56].copy_from_slice(&self.data_key);
        let checksum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// Reads the header at the beginning of a segment.
    ///
    /// # Errors
    /// Where there is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, LogError> {
        let wrong = |what: &str| LogError::malformed("a segment's header", what);
        let head = bytes.first_chunk::<SEGMENT_HEADER_LEN>().ok_or_else(|| wrong("the file ends within it"))?;
        if head[..8] != MAGIC {
            return Err(wrong("it does not begin with OMNISEG1"));
        }
        let (words, _) = head.as_chunks::<8>();
        let [_, log_high, log_low, first, opened, retain, data_key, rest] = words else {
            return Err(wrong("the file ends within it"));
        };
        let [0, 0, 0, 0, checksum @ ..] = rest else { return Err(wrong("its reserved bytes are not zero")) };
        if crc32c::crc32c(&head[..60]) != u32::from_be_bytes(*checksum) {
            return Err(wrong("its checksum does not fit"));
        }
        let mut log = [0; 16];
        log[..8].copy_from_slice(log_high);
        log[8..].copy_from_slice(log_low);
        Ok(Self {
            log,
            first: u64::from_be_bytes(*first),
            opened_us: u64::from_be_bytes(*opened),
            retain_until_us: u64::from_be_bytes(*retain),
            data_key: *data_key,
        })
    }
}
