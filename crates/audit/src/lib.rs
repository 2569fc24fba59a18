//! The Audit Logger: what everybody who lets something happen, or refuses it, writes it down with.
//!
//! What is written has one schema ([`schema`]): kinds of events, and fields of which each has a number, a class and a bound.

mod archive;
mod audit;
mod class;
mod error;
mod event;
pub mod export;
mod field;
mod fields_of;
mod frame;
mod held;
pub mod index;
mod keys;
mod kind;
mod log;
mod note;
mod prove;
mod prune;
pub mod query;
mod record;
mod schema;
mod search;
mod seen;
mod segment;
mod sink;
mod tiles_export;
mod told;
mod tree;
mod verify;
mod who;
mod witness;
mod writer;

pub use archive::{Archive, log_id};
pub use audit::Audit;
pub use class::Class;
pub use error::LogError;
pub use event::{Event, Origin, Resource};
pub use field::{EventField, FIELDS, FieldName, FieldSpec, FieldValue, Form};
pub use frame::FRAME_HEAD_LEN;
pub use keys::{FileKek, Identity, KeyElsewhere, KeyEncryption, KeyPlaces, Keys};
pub use kind::{EventKind, KINDS, OUTCOMES, Outcome, Phase, Transport};
pub use log::is_logged;
pub use note::{Checkpoint, Note, Signature, SigningKey, VerifierKey, append_note, parse_notes};
pub use prove::{ProofFault, Proven, RecordProof};
pub use prune::{Pruning, plan as prune_plan};
pub use record::{
    Field, KeyId, KeySource, Opened, Personal, PlainRecord, RECORD_BYTES_MAX, Record, RecordHeader, Seal, Value, open,
};
pub use schema::{SCHEMA_VERSION, schema, schema_text};
pub use search::{Follow, Order, Search, Tell};
pub use seen::{Closed, Seen, value_text};
pub use segment::{SEGMENT_HEADER_LEN, Segment, SegmentFile, SegmentHeader, Stored, day_of, segment_path};
pub use sink::{Condition, LogKey, NotRecorded, Recording, Sink};
pub use tiles_export::export_tiles;
pub use tree::{
    Frontier, Hash, Nodes, TILE_WIDTH, TileId, TileWriter, Tiles, consistency_proof, empty_root, inclusion_proof,
    leaf_hash, node_hash, root_at, verify_consistency, verify_inclusion,
};
pub use verify::{Finding, Verification, VerifyOptions, verify};
pub use who::Who;
pub use witness::{KEYS_OF_A_LOG_MAX, REQUEST_BYTES_MAX, WITNESSED_MAX, Witness, Witnessed, witness_request};
pub use writer::{Disk, Durability, Health, LastingLog, LogSettings, RealDisk};
