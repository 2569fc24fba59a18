//! Hash tiles on disk as C2SP tlog-tiles lays them out: `tile/<level>/<index>`, 256 hashes each, the last one partial.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::frontier::Frontier;
use super::hash::{Hash, node_hash};
use super::proof::Nodes;
use crate::error::LogError;
use crate::keys::replace;

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 256;
/// Heights of the tree that one level of tiles spans.
const TILE_HEIGHT: u32 = 8;
/// How often a tile is looked for at most.
const READS_MAX: u32 = 4;

/// The place of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileId {
    /// Its level: its hashes are nodes of height `8 * level`.
    pub level: u32,
    /// Its number in its level.
    pub index: u64,
}

impl TileId {
    /// Its path below the log's directory; `width` where it is partial.
    #[must_use]
    pub fn path(self, width: Option<usize>) -> String {
        let mut parts = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            parts.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        parts.reverse();
        let partial = width.map(|width| format!(".p/{width}")).unwrap_or_default();
        format!("tile/{}/{}{partial}", self.level, parts.join("/"))
    }
}

impl TileId {
    /// The first record that it is over.
    fn first_leaf(self) -> u64 {
        let spanned = TILE_HEIGHT.saturating_mul(self.level.saturating_add(1));
        1_u64
            .checked_shl(spanned)
            .map_or(if self.index == 0 { 0 } else { u64::MAX }, |leaves| self.index.saturating_mul(leaves))
    }
}

/// The tiles of a log, to read.
#[derive(Debug, Clone)]
pub struct Tiles {
    root: PathBuf,
}

impl Tiles {
    /// The tiles below the log's directory.
    #[must_use]
    pub fn of(log: &Path) -> Self {
        Self { root: log.to_owned() }
    }

    /// The hashes of a tile: all of them, or of a partial one as many as there are.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn read(&self, tile: TileId) -> Result<Vec<Hash>, LogError> {
        // While a log is written a partial tile gives way to the next one between a look and the next.
        let mut found = self.read_once(tile);
        for _ in 1..READS_MAX {
            if found.is_ok() {
                break;
            }
            found = self.read_once(tile);
        }
        found
    }

    fn read_once(&self, tile: TileId) -> Result<Vec<Hash>, LogError> {
        let full = self.root.join(tile.path(None));
        match fs::read(&full) {
            Ok(bytes) if bytes.len() == TILE_WIDTH * 32 => Ok(hashes(&bytes)),
            Ok(bytes) => Err(LogError::damaged(&full, 0, format!("a full tile has 8192 bytes, not {}", bytes.len()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.partial(tile),
            Err(error) => Err(LogError::io("read", &full, error)),
        }
    }

    /// The widest partial tile there is.
    fn partial(&self, tile: TileId) -> Result<Vec<Hash>, LogError> {
        let full = self.root.join(tile.path(None));
        let folder = full.with_file_name(format!("{:03}.p", tile.index % 1000));
        let entries = fs::read_dir(&folder).map_err(|error| LogError::io("read the tile", &full, error))?;
        let widths = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<usize>().ok());
        let Some(width) = widths.filter(|width| (1..TILE_WIDTH).contains(width)).max() else {
            return Err(LogError::damaged(&full, 0, "neither this tile nor a part of it is there"));
        };
        let path = self.root.join(tile.path(Some(width)));
        let bytes = fs::read(&path).map_err(|error| LogError::io("read", &path, error))?;
        if bytes.len() != width * 32 {
            return Err(LogError::damaged(&path, 0, format!("has {} bytes, not {}", bytes.len(), width * 32)));
        }
        Ok(hashes(&bytes))
    }

    /// The frontier of the tree of the first `size` leaves.
    ///
    /// # Errors
    /// Where a tile it needs is not there.
    pub fn frontier(&self, size: u64) -> Result<Frontier, LogError> {
        let mut peaks = Vec::new();
        let mut from = 0_u64;
        for height in (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1) {
            peaks.push(self.node(height, from >> height)?);
            from += 1 << height;
        }
        Ok(Frontier::of(size, peaks).unwrap_or_default())
    }
}

impl Nodes for Tiles {
    type Error = LogError;

    fn node(&self, height: u32, index: u64) -> Result<Hash, LogError> {
        let (level, above) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = index << above;
        let tile = TileId { level, index: first / TILE_WIDTH as u64 };
        let hashes = self.read(tile)?;
        let start = usize::try_from(first % TILE_WIDTH as u64).unwrap_or(0);
        let Some(mut row) = hashes.get(start..start + (1 << above)).map(<[Hash]>::to_vec) else {
            let path = self.root.join(tile.path(None));
            return Err(LogError::damaged(
                &path,
                hashes.len() as u64 * 32,
                "the tile ends before the hash that is asked for",
            ));
        };
        while row.len() > 1 {
            row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
        }
        Ok(row[0])
    }
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.to_vec()
}

/// Writes tiles as the tree grows. Tiles can be made again from the records, so none is waited for; those over records that were
/// deleted cannot, and are durable before what they replace is taken away.
#[derive(Debug)]
pub struct TileWriter {
    root: PathBuf,
    levels: Vec<Level>,
    /// The first record that was not deleted.
    kept_from: u64,
    /// Full tiles that are not written yet.
    full: Vec<(TileId, Vec<Hash>)>,
}

/// The last tile of a level.
#[derive(Debug, Default, Clone)]
struct Level {
    index: u64,
    hashes: Vec<Hash>,
    /// How many of them are on disk as a partial tile.
    written: usize,
}

impl TileWriter {
    /// Goes on with the tiles of a tree of `size` leaves.
    ///
    /// # Errors
    /// Where a tile it needs is not there.
    pub fn resume(log: &Path, size: u64) -> Result<Self, LogError> {
        let tiles = Tiles::of(log);
        let mut levels = Vec::new();
        let mut count = size;
        for level in 0.. {
            if count == 0 {
                break;
            }
            let (index, width) = (count / TILE_WIDTH as u64, (count % TILE_WIDTH as u64) as usize);
            let mut hashes = if width == 0 { Vec::new() } else { tiles.read(TileId { level, index })? };
            if hashes.len() < width {
                let path = log.join(TileId { level, index }.path(None));
                return Err(LogError::damaged(&path, hashes.len() as u64 * 32, "the tile is shorter than the tree"));
            }
            hashes.truncate(width);
            levels.push(Level { index, hashes, written: 0 });
            count /= TILE_WIDTH as u64;
        }
        Ok(Self { root: log.to_owned(), levels, kept_from: 0, full: Vec::new() })
    }

    /// Records before this one are deleted.
    pub fn keep_from(&mut self, first: u64) {
        self.kept_from = self.kept_from.max(first);
    }

    /// Whether a tile is over something that was deleted.
    pub(crate) fn must_last(&self, tile: TileId) -> bool {
        tile.first_leaf() < self.kept_from
    }

    /// Takes a node that became complete.
    pub fn add(&mut self, height: u32, hash: &Hash) {
        if !height.is_multiple_of(TILE_HEIGHT) {
            return;
        }
        let at = (height / TILE_HEIGHT) as usize;
        if self.levels.len() <= at {
            self.levels.resize(at + 1, Level::default());
        }
        let Some(level) = self.levels.get_mut(at) else { return };
        level.hashes.push(*hash);
        if level.hashes.len() == TILE_WIDTH {
            let next = Level { index: level.index + 1, ..Level::default() };
            let full = std::mem::replace(level, next);
            self.full.push((TileId { level: height / TILE_HEIGHT, index: full.index }, full.hashes));
        }
    }

    /// Writes what is not on disk yet: full tiles, and the partial ones at the right edge.
    ///
    /// # Errors
    /// Where one cannot be written; it is kept for the next time.
    pub fn flush(&mut self) -> Result<(), LogError> {
        while let Some((id, hashes)) = self.full.last() {
            write(&self.root.join(id.path(None)), hashes, self.must_last(*id))?;
            // A full tile makes its parts superfluous; one that stays does no harm.
            let _gone = fs::remove_dir_all(self.root.join(id.path(Some(1))).with_file_name(""));
            self.full.pop();
        }
        for (at, level) in self.levels.iter_mut().enumerate() {
            let width = level.hashes.len();
            if width == level.written {
                continue;
            }
            let id = TileId { level: u32::try_from(at).unwrap_or(u32::MAX), index: level.index };
            write(&self.root.join(id.path(Some(width))), &level.hashes, id.first_leaf() < self.kept_from)?;
            if level.written > 0 {
                let _gone = fs::remove_file(self.root.join(id.path(Some(level.written))));
            }
            level.written = width;
        }
        Ok(())
    }
}

/// Readers never see half a tile: it gets its name when it is whole.
fn write(path: &Path, hashes: &[Hash], lasting: bool) -> Result<(), LogError> {
    if lasting {
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder.map_err(|error| LogError::io("write", path, error))?;
        return replace(path, hashes.as_flattened(), 0o644);
    }
    let draft = path.with_extension("tmp");
    let bytes = hashes.as_flattened();
    let written = match fs::write(&draft, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&draft, bytes))
        }
        other => other,
    };
    written.and_then(|()| fs::rename(&draft, path)).map_err(|error| LogError::io("write", path, error))
}
