//! The layout of a record: a plain header that tells nothing personal, and two sealed parts.

use crate::error::LogError;

/// A record's length has two bytes in the entry bundles of tlog-tiles.
pub const RECORD_BYTES_MAX: usize = 65_535;
/// Bytes of a key's id.
const DATA_KEY_ID_LEN: usize = 8;
/// The layout's version.
const VERSION: u8 = 1;
pub(super) const HEADER_LEN: usize = 28;
const HAS_PERSONAL: u8 = 1;
const IS_PLAIN: u8 = 2;

/// The id of a data key: random, and the same for all that the key sealed.
pub type KeyId = [u8; DATA_KEY_ID_LEN];

/// What a record tells without any key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// Its number in the log, from 0.
    pub index: u64,
    /// When it was recorded: microseconds since 1970, UTC.
    pub time_us: u64,
    /// The key of the segment's day that its first part is sealed with. Zero where it is plain.
    pub data_key: KeyId,
    /// Whether it has a second part, under a person's key.
    pub has_personal: bool,
    /// Whether its first part is in clear: what an auditor without keys must read (the log's own changes of key).
    pub is_plain: bool,
}

/// A record in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it tells without any key.
    pub header: RecordHeader,
    /// Its first part, sealed unless the record is plain.
    pub hub: &'a [u8],
    /// Its second part, sealed; empty where there is none.
    pub personal: &'a [u8],
    /// The header's bytes, which seals are bound to.
    pub(super) head: &'a [u8; HEADER_LEN],
}

impl<'a> Record<'a> {
    /// Takes a record apart.
    ///
    /// # Errors
    /// Where the bytes are none.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LogError> {
        let wrong = |what: &str| LogError::malformed("a record", what);
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(wrong("it is longer than 65,535 bytes"));
        }
        let (head, rest) =
            bytes.split_first_chunk::<HEADER_LEN>().ok_or_else(|| wrong("it is shorter than its header"))?;
        let [version, flags, fields @ ..] = head;
        if *version != VERSION {
            return Err(wrong(&format!("its version is {version}, and this program reads version 1")));
        }
        if flags & !(HAS_PERSONAL | IS_PLAIN) != 0 {
            return Err(wrong("it has a flag that version 1 does not know"));
        }
        let (numbers, _) = fields.as_chunks::<8>();
        let [index, time, data_key] = numbers else { return Err(wrong("it is shorter than its header")) };
        let (hub, personal) = rest
            .split_at_checked(usize::from(u16::from_be_bytes([head[26], head[27]])))
            .ok_or_else(|| wrong("it ends within its first part"))?;
        let header = RecordHeader {
            index: u64::from_be_bytes(*index),
            time_us: u64::from_be_bytes(*time),
            data_key: *data_key,
            has_personal: flags & HAS_PERSONAL != 0,
            is_plain: flags & IS_PLAIN != 0,
        };
        if header.has_personal == personal.is_empty() {
            return Err(wrong("its flags do not fit its parts"));
        }
        Ok(Self { header, hub, personal, head })
    }
}

/// The header of a record whose first part has `hub_len` bytes.
pub(super) fn encode_header(header: &RecordHeader, hub_len: usize) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[0] = VERSION;
    bytes[1] = (u8::from(header.has_personal) * HAS_PERSONAL) | (u8::from(header.is_plain) * IS_PLAIN);
    bytes[2..10].copy_from_slice(&header.index.to_be_bytes());
    bytes[10..18].copy_from_slice(&header.time_us.to_be_bytes());
    bytes[18..26].copy_from_slice(&header.data_key);
    bytes[26..].copy_from_slice(&u16::try_from(hub_len).unwrap_or(u16::MAX).to_be_bytes());
    bytes
}
