//! Segments: the files that hold the records, by day and size.

mod header;
mod name;
mod reader;

pub use header::{SEGMENT_HEADER_LEN, SegmentHeader};
pub(crate) use name::list;
pub use name::{SegmentFile, day_of, segment_path};
pub use reader::{Segment, Stored};
