//! A log as C2SP tlog-tiles with entry bundles, so that public tools can read and check it.

use std::fs;
use std::path::Path;

use crate::archive::Archive;
use crate::error::LogError;
use crate::note::Checkpoint;
use crate::segment::Segment;
use crate::tree::{Frontier, TILE_WIDTH, TileId, TileWriter, leaf_hash};

/// Writes the log up to its latest checkpoint into an empty or new folder: `checkpoint`, `tile/`, `tile/entries/`. The records
/// stay sealed. The tree is made anew from them, and nothing is called good that its checkpoint does not sign.
///
/// # Errors
/// Where the folder is not empty, something cannot be read or written, or the records are not those that were signed.
pub fn export_tiles(archive: &Archive, folder: &Path) -> Result<Checkpoint, LogError> {
    let io = |what, error| LogError::io(what, folder, error);
    fs::create_dir_all(folder).map_err(|error| io("make", error))?;
    if fs::read_dir(folder).map_err(|error| io("list", error))?.next().is_some() {
        return Err(LogError::malformed("an empty folder", folder.display().to_string()));
    }
    if let Some(later) = archive.segments()?.first().filter(|segment| segment.first > 0) {
        return Err(LogError::BeginsLater(later.first));
    }
    let (checkpoint, note) = archive.checkpoint()?;
    let mut frontier = Frontier::default();
    let mut tiles = TileWriter::resume(folder, 0)?;
    let mut bundle = Vec::new();
    for file in archive.segments()? {
        if frontier.size() >= checkpoint.size {
            break;
        }
        let mut segment = Segment::open(&file.path)?;
        while frontier.size() < checkpoint.size {
            let Some(stored) = segment.next_record()? else { break };
            bundle.extend_from_slice(&u16::try_from(stored.bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
            bundle.extend_from_slice(stored.bytes);
            frontier.append(leaf_hash(stored.bytes), |height, _, hash| tiles.add(height, hash));
            if frontier.size() % TILE_WIDTH as u64 == 0 {
                write_bundle(folder, frontier.size() / TILE_WIDTH as u64 - 1, None, &bundle)?;
                bundle.clear();
                tiles.flush()?;
            }
        }
    }
    if frontier.size() != checkpoint.size || frontier.root() != checkpoint.root {
        let what = format!(
            "{} records give another root than the one that was signed over {}",
            frontier.size(),
            checkpoint.size
        );
        return Err(LogError::Disagrees { path: archive.directory().to_owned(), what });
    }
    let width = usize::try_from(checkpoint.size % TILE_WIDTH as u64).unwrap_or(0);
    if width > 0 {
        write_bundle(folder, checkpoint.size / TILE_WIDTH as u64, Some(width), &bundle)?;
    }
    tiles.flush()?;
    let path = folder.join("checkpoint");
    fs::write(&path, note.to_string()).map_err(|error| LogError::io("write", &path, error))?;
    Ok(checkpoint)
}

fn write_bundle(folder: &Path, index: u64, width: Option<usize>, bytes: &[u8]) -> Result<(), LogError> {
    let place = TileId { level: 0, index }.path(width).replacen("tile/0/", "tile/entries/", 1);
    let path = folder.join(place);
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
    written.map_err(|error| LogError::io("write", &path, error))
}
