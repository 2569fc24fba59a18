//! The Merkle tree over the records (RFC 6962, RFC 9162), its tiles on disk (C2SP tlog-tiles) and its proofs.

mod frontier;
mod hash;
mod proof;
mod tile;

pub use frontier::Frontier;
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use proof::{Nodes, consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion};
pub use tile::{TILE_WIDTH, TileId, TileWriter, Tiles};

#[cfg(test)]
mod tests;
