//! Reading a segment of the audit log: bytes of chance are read to an end or refused, each record from where it stands, and what
//! was written is read back up to where a byte was changed.

use std::io::Cursor;
use std::path::Path;

use omni_audit::{Record, SEGMENT_HEADER_LEN, Segment, SegmentHeader};

use crate::pieces::Pieces;

const HEADER: SegmentHeader =
    SegmentHeader { log: [7; 16], first: 5, opened_us: 1_000, retain_until_us: 2_000, data_key: [9; 8] };

pub(crate) fn run(data: &[u8]) {
    // As it came, and behind a header that is one: else few inputs reach a frame.
    read(data);
    let mut pieces = Pieces::new(data);
    let seek = u64::from(pieces.byte());
    let behind = [HEADER.encode().as_slice(), pieces.rest()].concat();
    read(&behind);
    let Ok(mut segment) = Segment::of(Cursor::new(&behind), Path::new("segment")) else { panic!("its header is one") };
    assert_eq!(segment.header(), &HEADER, "it is not read as it was written");
    if segment.seek(9, seek).is_ok() {
        let _found = segment.next_record();
    }
}

/// Reads to the end, and over what is broken.
fn read(bytes: &[u8]) {
    let Ok(mut segment) = Segment::of(Cursor::new(bytes), Path::new("segment")) else { return };
    assert_eq!(segment.header().encode(), bytes[..SEGMENT_HEADER_LEN], "a header has one form");
    loop {
        let (offset, next) = (segment.offset(), segment.next_index());
        match segment.next_record() {
            Ok(Some(stored)) => {
                assert_eq!((stored.offset, stored.index), (offset, next), "it stands elsewhere");
                assert!(!stored.bytes.is_empty(), "a record of nothing");
                let end = offset as usize + omni_audit::FRAME_HEAD_LEN + stored.bytes.len();
                assert_eq!(&bytes[end - stored.bytes.len()..end], stored.bytes, "other bytes than stand there");
                let _record = Record::parse(stored.bytes);
            }
            Ok(None) => break,
            Err(_) => {
                if !matches!(segment.skip_broken(), Ok(true)) {
                    break;
                }
                assert!(segment.offset() > offset, "it goes on where it was");
            }
        }
    }
    assert!(segment.offset() <= bytes.len() as u64, "it read beyond the end");
}
