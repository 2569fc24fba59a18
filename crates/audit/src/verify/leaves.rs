//! The hashes that the tiles hold for the records, as the walk goes by.

use std::path::Path;

use crate::tree::{Hash, TILE_WIDTH, TileId, Tiles};

/// One level of tiles, read from left to right.
#[derive(Debug)]
pub(super) struct Row {
    tiles: Tiles,
    level: u32,
    held: Option<(u64, Vec<Hash>)>,
}

impl Row {
    pub(super) fn new(directory: &Path, level: u32) -> Self {
        Self { tiles: Tiles::of(directory), level, held: None }
    }

    /// The hash at a place; none where no tile reaches so far.
    pub(super) fn at(&mut self, index: u64) -> Option<Hash> {
        let tile = index / TILE_WIDTH as u64;
        if self.held.as_ref().is_none_or(|(held, _)| *held != tile) {
            let hashes = self.tiles.read(TileId { level: self.level, index: tile }).unwrap_or_default();
            self.held = Some((tile, hashes));
        }
        let (_, hashes) = self.held.as_ref()?;
        hashes.get(usize::try_from(index % TILE_WIDTH as u64).ok()?).copied()
    }

    /// The tile that a place is in.
    pub(super) fn path(&self, index: u64) -> String {
        TileId { level: self.level, index: index / TILE_WIDTH as u64 }.path(None)
    }
}
