//! The Audit Logger: what everybody who lets something happen, or refuses it, writes it down with.
//!
//! This is its interface. What is written goes to the hub's log today (target `audit`); a log of its own, that lasts and
//! can be checked, stands behind the same interface later.

mod archive;
mod audit;
mod error;
mod event;
#[allow(dead_code, reason = "the writer, which uses the rest, comes with the next commit")]
mod frame;
pub mod index;
#[allow(dead_code, unused_imports, reason = "as above")]
mod keys;
mod log;
mod note;
pub mod query;
mod record;
mod segment;
mod sink;
mod tree;
mod who;

pub use archive::{Archive, log_id};

pub use audit::Audit;
pub use error::LogError;
pub use event::{Event, EventKind, Outcome, Resource};
pub use frame::FRAME_HEAD_LEN;
pub use keys::{FileKek, Identity, KeyEncryption, KeyPlaces, Keys};
pub use note::{Checkpoint, Note, Signature, SigningKey, VerifierKey, parse_notes};
pub use record::{
    Field, KeyId, KeySource, Opened, Personal, PlainRecord, RECORD_BYTES_MAX, Record, RecordHeader, Seal, Value, open,
};
pub use segment::{SEGMENT_HEADER_LEN, Segment, SegmentFile, SegmentHeader, Stored, day_of, segment_path};
pub use sink::Sink;
pub use tree::{
    Frontier, Hash, Nodes, TILE_WIDTH, TileId, TileWriter, Tiles, consistency_proof, empty_root, inclusion_proof,
    leaf_hash, node_hash, root_at, verify_consistency, verify_inclusion,
};
pub use who::Who;
