//! What a crash leaves: a torn end is moved aside, the tree is made again from tiles and records, and held against the
//! latest checkpoint.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use super::entry::now_us;
use super::journal::OpenSegment;
use crate::archive::{checkpoint_path, log_id};
use crate::error::LogError;
use crate::keys::{Keys, sync_folder};
use crate::note::{Checkpoint, Note, VerifierKey};
use crate::record::{KeySource, Record};
use crate::segment::{Segment, SegmentFile, SegmentHeader, list};
use crate::tree::{Frontier, Hash, TileWriter, Tiles, leaf_hash, root_at};
use crate::verify::successor;

/// Segments at the end whose records are read again, since their tiles may not have reached the disk.
const REREAD: usize = 2;

/// What was found.
pub(super) struct Found {
    pub(super) frontier: Frontier,
    pub(super) tiles: TileWriter,
    pub(super) last: Option<LastSegment>,
    /// The size that the latest checkpoint states.
    pub(super) signed: Option<u64>,
    /// The key that the very last record puts in force: what a rotation leaves that was interrupted.
    pub(super) successor: Option<VerifierKey>,
}

/// The segment that may go on.
pub(super) struct LastSegment {
    file: SegmentFile,
    header: SegmentHeader,
    /// Bytes up to the end of its last whole record.
    length: u64,
    torn: bool,
}

struct Tree {
    frontier: Frontier,
    tiles: TileWriter,
    last: Option<LastSegment>,
    /// The root when there were as many records as the checkpoint states.
    root: Option<Hash>,
    successor: Option<VerifierKey>,
}

/// Finds out what the log holds. Nothing is changed before it agrees with its checkpoint.
pub(super) fn recover(
    directory: &Path,
    log: &[u8; 16],
    (current, verifiers): (&VerifierKey, &[VerifierKey]),
    notices: &mut Vec<String>,
) -> Result<Found, LogError> {
    let segments = begun(directory, notices)?;
    let kept_from = segments.first().map_or(0, |segment| segment.first);
    let (checkpoint, by) = match latest(directory, log, verifiers, notices)? {
        Some((checkpoint, by)) => (Some(checkpoint), Some(by)),
        None => (None, None),
    };
    let size = checkpoint.as_ref().map(|checkpoint| checkpoint.size);
    let from = segments.len().saturating_sub(REREAD);
    let agrees = |tree: &Tree| checkpoint.as_ref().is_none_or(|checkpoint| tree.root == Some(checkpoint.root));
    let quick = tree(directory, log, &segments[from..], size);
    let mut tree = match quick {
        Ok(tree) if agrees(&tree) => tree,
        Err(error @ LogError::Disagrees { .. }) => return Err(error),
        // Tiles that did not reach the disk are made again from the records.
        _ => tree(directory, log, &segments, size)?,
    };
    if let Some(checkpoint) = checkpoint.as_ref().filter(|_| !agrees(&tree)) {
        let (signed, there) = (checkpoint.size, tree.frontier.size());
        let what = if signed > there {
            format!("{signed} records were signed and {there} are there")
        } else {
            format!("the first {signed} records are not those that were signed")
        };
        return Err(LogError::Disagrees { path: directory.to_owned(), what });
    }
    // What a rotation leaves that was interrupted is signed by the key before. A key that was lost was told of.
    if let Some(by) = by.filter(|by| by != current && tree.successor.as_ref() != Some(current) && notices.is_empty()) {
        notices.push(format!(
            "the checkpoint that the records were held against is signed by {by}, which is not in force"
        ));
    }
    tree.tiles.keep_from(kept_from);
    if let Some(last) = tree.last.as_ref().filter(|last| last.torn) {
        set_aside(last, tree.frontier.size(), notices)?;
    }
    Ok(Found { frontier: tree.frontier, tiles: tree.tiles, last: tree.last, signed: size, successor: tree.successor })
}

/// The segments that were begun whole. The last may have been cut in its header, before anything was recorded in it.
fn begun(directory: &Path, notices: &mut Vec<String>) -> Result<Vec<SegmentFile>, LogError> {
    let mut segments = list(directory)?;
    if let Some(last) = segments.last()
        && let Err(error) = Segment::open(&last.path)
    {
        let length = fs::metadata(&last.path).map_or(0, |file| file.len());
        if length > crate::segment::SEGMENT_HEADER_LEN as u64 {
            return Err(error);
        }
        let aside = last.path.with_extension(format!("torn-0-{}", now_us()));
        fs::rename(&last.path, &aside).map_err(|error| LogError::io("move aside", &last.path, error))?;
        notices.push(format!("a segment was cut in its header by a crash; it is now {}", aside.display()));
        segments.pop();
    }
    Ok(segments)
}

fn latest(
    directory: &Path,
    log: &[u8; 16],
    verifiers: &[VerifierKey],
    notices: &mut Vec<String>,
) -> Result<Option<(Checkpoint, VerifierKey)>, LogError> {
    let path = checkpoint_path(directory);
    let text = fs::read_to_string(&path).unwrap_or_default();
    if text.is_empty() {
        if !list(directory)?.is_empty() {
            notices
                .push("there is no checkpoint to hold the records against: all that are there are taken on".to_owned());
        }
        return Ok(None);
    }
    let note = Note::parse(&text).map_err(|error| LogError::damaged(&path, 0, error.to_string()))?;
    let checkpoint = Checkpoint::of(&note)?;
    let of_this_log = log_id(&checkpoint.origin).as_ref() == Some(log);
    match verifiers.iter().rev().find(|key| note.is_signed_by(key)).filter(|_| of_this_log) {
        Some(by) => Ok(Some((checkpoint, by.clone()))),
        None => {
            let what = "its checkpoint is signed by none of its keys".to_owned();
            Err(LogError::Disagrees { path: directory.to_owned(), what })
        }
    }
}

/// The tree of all records: up to these segments from the tiles, from there on from the records.
fn tree(directory: &Path, log: &[u8; 16], segments: &[SegmentFile], signed: Option<u64>) -> Result<Tree, LogError> {
    let first = segments.first().map_or(0, |segment| segment.first);
    let mut tree = Tree {
        frontier: Tiles::of(directory).frontier(first)?,
        tiles: TileWriter::resume(directory, first)?,
        last: None,
        root: None,
        successor: None,
    };
    if let Some(signed) = signed.filter(|signed| *signed <= first) {
        tree.root = Some(root_at(&Tiles::of(directory), signed)?);
    }
    for (at, file) in segments.iter().enumerate() {
        // Beyond the next segment's beginning stands what was not durable when this one was given up.
        let end = segments.get(at + 1).map_or(u64::MAX, |next| next.first);
        read(file, log, end, signed, &mut tree)?;
    }
    Ok(tree)
}

fn read(file: &SegmentFile, log: &[u8; 16], end: u64, signed: Option<u64>, tree: &mut Tree) -> Result<(), LogError> {
    let mut segment = Segment::open(&file.path)?;
    let header = *segment.header();
    if header.log != *log || header.first != file.first || header.first != tree.frontier.size() {
        let what =
            format!("it begins with record {} of its log, and {} was to come", header.first, tree.frontier.size());
        return Err(LogError::damaged(&file.path, 0, what));
    }
    let last = end == u64::MAX;
    let mut torn = false;
    while tree.frontier.size() < end {
        match segment.next_record() {
            Ok(Some(stored)) => {
                let record = Record::parse(stored.bytes)?;
                if record.header.index != stored.index {
                    let what = format!("another record stands in the place of record {}", stored.index);
                    return Err(LogError::damaged(&file.path, stored.offset, what));
                }
                tree.successor = successor(&record).map(|(key, _)| key);
                let tiles = &mut tree.tiles;
                tree.frontier.append(leaf_hash(stored.bytes), |height, _, hash| tiles.add(height, hash));
                if signed == Some(tree.frontier.size()) {
                    tree.root = Some(tree.frontier.root());
                }
            }
            Ok(None) => {
                torn = segment.has_rest();
                break;
            }
            Err(LogError::Damaged { .. }) if last => {
                torn = true;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    if last {
        tree.last = Some(LastSegment { file: file.clone(), header, length: segment.offset(), torn });
    }
    Ok(())
}

/// Moves what stands after the last whole record into a file of its own. It was never durable, and is kept to look at.
fn set_aside(last: &LastSegment, records: u64, notices: &mut Vec<String>) -> Result<(), LogError> {
    let path = &last.file.path;
    let aside = path.with_extension(format!("torn-{}-{}", last.length, now_us()));
    let moved = || {
        let bytes = fs::read(path)?;
        let torn = bytes.get(usize::try_from(last.length).unwrap_or(usize::MAX)..).unwrap_or_default();
        fs::write(&aside, torn)?;
        File::open(&aside)?.sync_all()?;
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(last.length)?;
        file.sync_all()?;
        path.parent().map_or(Ok(()), sync_folder)?;
        Ok(torn.len())
    };
    let count = moved().map_err(|error| LogError::io("move aside the torn end of", path, error))?;
    notices.push(format!(
        "{count} bytes after record {} were not written whole before a crash; they are now in {}",
        i128::from(records) - 1,
        aside.display()
    ));
    Ok(())
}

/// The last segment to go on with; none where its key is lost, so that a new one is begun.
pub(super) fn resume(
    last: &LastSegment,
    keys: &Keys,
    notices: &mut Vec<String>,
) -> Result<Option<OpenSegment>, LogError> {
    let data = match keys.data_key(&last.header.data_key) {
        Ok(data) => data,
        Err(error @ LogError::Key(_)) => {
            notices.push(format!("a new segment is begun: {error}"));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let path = &last.file.path;
    let file = OpenOptions::new().append(true).open(path).map_err(|error| LogError::io("open", path, error))?;
    Ok(Some(OpenSegment { file, day: last.file.day.clone(), length: last.length, data }))
}
