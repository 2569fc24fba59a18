//! The walk through all records: frames, places, hashes, tiles, checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use super::beginning::Beginning;
use super::checkpoints::Checkpoints;
use super::finding::{Finding, Verification};
use super::leaves::Row;
use super::succession::Succession;
use crate::archive::{Archive, ORIGIN_PREFIX};
use crate::error::LogError;
use crate::note::VerifierKey;
use crate::record::Record;
use crate::segment::{SEGMENT_HEADER_LEN, Segment, SegmentFile, day_of};
use crate::tree::{Frontier, Hash, empty_root, leaf_hash};

/// What a verification takes from outside the log.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The public keys to believe. Where there are none, the first one that the directory itself names is.
    pub keys: Vec<VerifierKey>,
    /// Checkpoints that were kept elsewhere: where, and the text of the notes.
    pub witnesses: Vec<(String, String)>,
}

/// Verifies the log in this directory. It needs no key but the public one, and changes nothing.
///
/// # Errors
/// Where there is no log, or its files cannot be read at all. What is wrong with it is in the outcome.
pub fn verify(directory: &Path, options: &VerifyOptions) -> Result<Verification, LogError> {
    let archive = Archive::open(directory)?;
    let mut out = Verification {
        records: 0,
        size: 0,
        root: empty_root(),
        segments: 0,
        checkpoints: 0,
        signed: 0,
        findings: Vec::new(),
        more: 0,
        notes: Vec::new(),
    };
    let trusted = if options.keys.is_empty() { &archive.verifiers()[..1] } else { options.keys.as_slice() };
    // Before the records: a log that is written meanwhile has more of them than its checkpoints say, and never fewer.
    let checkpoints = Checkpoints::read(&archive, &options.witnesses, &mut out);
    out.signed = checkpoints.signed();
    let mut walk = Walk {
        log: *archive.id(),
        records: Frontier::default(),
        tiles: None,
        rows: (0..8).map(|level| Row::new(directory, level)).collect(),
        checkpoints,
        keys: Succession::of(trusted),
        directory: directory.to_owned(),
        untiled: false,
        beginning: None,
        out,
    };
    let segments = archive.segments()?;
    walk.begin(&archive, segments.first().map_or(0, |first| first.first));
    for (at, file) in segments.iter().enumerate() {
        walk.segment(file, segments.get(at + 1).map(|next| next.first))?;
    }
    let Walk { mut out, records, checkpoints, keys, beginning, .. } = walk;
    out.size = records.size();
    out.root = records.root();
    if let Some(beginning) = beginning {
        beginning.judge(directory, &mut out);
    }
    let origin = format!("{ORIGIN_PREFIX}{:032x}", u128::from_be_bytes(*archive.id()));
    checkpoints.judge(&origin, &keys, &mut out);
    Ok(out)
}

struct Walk {
    log: [u8; 16],
    /// Over the records; where one is wanting, over what the tiles hold in its place.
    records: Frontier,
    /// Over what the tiles hold, from the first place on where that differs.
    tiles: Option<Frontier>,
    /// The levels of tiles.
    rows: Vec<Row>,
    checkpoints: Checkpoints,
    keys: Succession,
    directory: PathBuf,
    /// Whether it was said that a tile is wanting.
    untiled: bool,
    /// Where its oldest records were deleted after their time.
    beginning: Option<Beginning>,
    out: Verification,
}

impl Walk {
    /// The tree before the first record that is there.
    fn begin(&mut self, archive: &Archive, first: u64) {
        if let Some(beginning) = Beginning::of(&self.directory, first) {
            let tiles = archive.tiles();
            self.records = beginning.frontier(&tiles, first, &mut self.out);
            self.checkpoints.compare_before(&tiles, &self.records);
            for inherited in &beginning.pruned().keys {
                if let Some(what) = self.keys.succeed(&inherited.key, &inherited.signature, inherited.index) {
                    self.out.found(Finding::new(what).of(inherited.index));
                }
            }
            self.beginning = Some(beginning);
        }
        self.checkpoints.compare(&self.records, None);
    }

    fn segment(&mut self, file: &SegmentFile, next: Option<u64>) -> Result<(), LogError> {
        let mut segment = match Segment::open(&file.path) {
            Ok(segment) => segment,
            Err(LogError::Damaged { path, at, what }) => {
                self.headless((path, at), what, next.is_none());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.out.segments += 1;
        let header = *segment.header();
        let mut wrong = |what: &str| self.out.found(Finding::new(what).at(&file.path, 0));
        if header.log != self.log {
            wrong("the segment is one of another log");
        }
        if header.first != file.first || day_of(header.opened_us) != file.day {
            wrong("the segment's name is not that of its header: it was renamed or moved");
        }
        let end = next.unwrap_or(u64::MAX);
        loop {
            match segment.next_record() {
                Ok(Some(stored)) => {
                    let (index, offset) = (stored.index, stored.offset);
                    let record = match Record::parse(stored.bytes) {
                        Ok(record) => record,
                        Err(error) => {
                            self.out.found(Finding::new(error.to_string()).at(&file.path, offset).of(index));
                            continue;
                        }
                    };
                    if record.header.index >= end {
                        self.out.notes.push(format!(
                            "{}: from byte {offset} on there is what was given up when a disk failed; the next segment holds it",
                            file.path.display()
                        ));
                        break;
                    }
                    self.record(&record, leaf_hash(stored.bytes), &file.path, offset);
                }
                Ok(None) => break,
                Err(LogError::Damaged { path, at, what }) => {
                    if self.records.size() >= self.out.signed && next.is_none() {
                        self.out.notes.push(format!("{}: from byte {at} on a write was torn", path.display()));
                        return Ok(());
                    }
                    self.out.found(Finding::new(what).at(&path, at).of(self.records.size()));
                    if !segment.skip_broken()? {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if segment.has_rest() {
            let (at, path) = (segment.offset(), &file.path);
            if self.records.size() >= next.unwrap_or(self.out.signed) {
                self.out
                    .notes
                    .push(format!("{}: a record from byte {at} on is being written, or was torn", path.display()));
            } else {
                let what = "the file ends within this record: it was cut, or the record's length was changed";
                self.out.found(Finding::new(what).at(path, at).of(self.records.size()));
            }
        }
        Ok(())
    }

    /// A segment without a header: where no record can be in it, and none that was signed is wanting, a crash left it.
    fn headless(&mut self, (path, at): (PathBuf, u64), what: String, last: bool) {
        let empty = fs::metadata(&path).is_ok_and(|file| file.len() <= SEGMENT_HEADER_LEN as u64);
        if empty && last && self.records.size() >= self.out.signed {
            self.out.notes.push(format!("{}: it was being begun when a crash came", path.display()));
        } else {
            self.out.found(Finding::new(what).at(path, at));
        }
    }

    fn record(&mut self, record: &Record<'_>, leaf: Hash, path: &Path, offset: u64) {
        let (index, expected) = (record.header.index, self.records.size());
        self.out.records += 1;
        if index < expected {
            let what = format!("it stands here again, or out of order: record {expected} was to come");
            self.out.found(Finding::new(what).at(path, offset).of(index));
            return;
        }
        if index > expected && !self.bridge(index, path, offset) {
            return;
        }
        let held = self.rows.first_mut().and_then(|row| row.at(index));
        match held {
            Some(held) if held != leaf => {
                let what = "its hash is not the one that the tiles hold: it was changed, or they were";
                self.out.found(Finding::new(what).at(path, offset).of(index));
                self.tiles.get_or_insert_with(|| self.records.clone());
            }
            None if index < self.out.signed && !self.untiled => {
                self.untiled = true;
                let tile = self.rows.first().map(|row| row.path(index)).unwrap_or_default();
                let what = "the tile is not there, or not whole, or shorter than what was signed";
                self.out.found(Finding::new(what).at(self.directory.join(tile), 0).of(index));
            }
            _ => {}
        }
        if record.header.is_plain {
            let deleted = Beginning::take(self.beginning.as_mut(), record).map(Result::err);
            if let Some(what) = deleted.unwrap_or_else(|| self.keys.take(record)) {
                self.out.found(Finding::new(what).at(path, offset).of(index));
            }
        }
        self.append(leaf, held.unwrap_or(leaf));
    }

    /// Goes on behind records that are not there, with what the tiles hold in their place.
    fn bridge(&mut self, to: u64, path: &Path, offset: u64) -> bool {
        let from = self.records.size();
        let what = format!("records {from} to {} are not there: they were dropped, or their segment was", to - 1);
        self.out.found(Finding::new(what).at(path, offset).of(from));
        for index in from..to {
            let Some(leaf) = self.rows.first_mut().and_then(|row| row.at(index)) else {
                let what =
                    format!("what follows cannot be held against the tree, whose tiles end before record {index}");
                self.out.found(Finding::new(what).of(index));
                return false;
            };
            self.append(leaf, leaf);
        }
        true
    }

    fn append(&mut self, leaf: Hash, held: Hash) {
        let Self { records, rows, out, directory, tiles, .. } = self;
        records.append(leaf, |height, index, hash| {
            let level = height / 8;
            if height == 0 || !height.is_multiple_of(8) {
                return;
            }
            let Some(row) = rows.get_mut(level as usize) else { return };
            // Where a record differs, all above it does: that is said once, where the record stands.
            if row.at(index).is_some_and(|held| held != *hash) && tiles.is_none() {
                let what = format!("hash {index} of its level is not the one over the records below it");
                out.found(Finding::new(what).at(directory.join(row.path(index)), index % 256 * 32));
            }
        });
        if let Some(tiles) = tiles {
            tiles.append(held, |_, _, _| {});
        }
        self.checkpoints.compare(&self.records, self.tiles.as_ref());
    }
}
