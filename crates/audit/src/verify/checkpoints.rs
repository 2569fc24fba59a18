//! All checkpoints there are, the log's own and those kept elsewhere, in the order of their sizes.

use std::fs;
use std::path::Path;

use super::finding::{Finding, Verification};
use super::succession::Succession;
use crate::archive::{Archive, checkpoint_path};
use crate::note::{Checkpoint, Note, parse_notes};
use crate::tree::{Frontier, Hash, Tiles, consistency_proof, verify_consistency};

/// A checkpoint and where it was found.
#[derive(Debug)]
struct Known {
    place: String,
    /// The list it stands in: 0 is the log's own.
    list: usize,
    note: Note,
    checkpoint: Checkpoint,
    /// What the records say of it.
    agrees: Option<bool>,
}

#[derive(Debug)]
pub(super) struct Checkpoints {
    known: Vec<Known>,
    next: usize,
}

impl Checkpoints {
    /// Reads them; what is none is found.
    pub(super) fn read(archive: &Archive, witnesses: &[(String, String)], out: &mut Verification) -> Self {
        let mut known = Vec::new();
        let mut add = |list: usize, place: &str, note: Note, out: &mut Verification| match Checkpoint::of(&note) {
            Ok(checkpoint) => known.push(Known { place: place.to_owned(), list, note, checkpoint, agrees: None }),
            Err(error) => out.found(Finding::new(error.to_string()).at(place, 0)),
        };
        let path = checkpoint_path(archive.directory());
        match latest(&path) {
            Ok(Some(note)) => add(0, &path.display().to_string(), note, out),
            Ok(None) => out.found(Finding::new("there is no checkpoint").at(path, 0)),
            Err(error) => out.found(Finding::new(error).at(path, 0)),
        }
        match archive.checkpoints() {
            Ok(kept) => kept.into_iter().for_each(|(path, note)| add(0, &path.display().to_string(), note, out)),
            Err(error) => out.found(Finding::new(error.to_string())),
        }
        for (list, (place, text)) in (1..).zip(witnesses) {
            match parse_notes(text) {
                Ok(notes) => notes.into_iter().for_each(|note| add(list, place, note, out)),
                Err(error) => out.found(Finding::new(error.to_string()).at(place, 0)),
            }
        }
        known.sort_by_key(|known| known.checkpoint.size);
        out.checkpoints = known.len();
        Self { known, next: 0 }
    }

    /// The size that the latest states.
    pub(super) fn signed(&self) -> u64 {
        self.known.last().map_or(0, |known| known.checkpoint.size)
    }

    /// Holds those that state this size against the roots: over the records, and over what the tiles hold for them where
    /// the two differ.
    pub(super) fn compare(&mut self, records: &Frontier, tiles: Option<&Frontier>) {
        let size = records.size();
        while let Some(known) = self.known.get_mut(self.next).filter(|known| known.checkpoint.size <= size) {
            self.next += 1;
            if known.checkpoint.size == size {
                let roots = [Some(records.root()), tiles.map(Frontier::root)];
                known.agrees = Some(roots.iter().flatten().any(|root: &Hash| *root == known.checkpoint.root));
            }
        }
    }

    /// Holds those that state less than what was deleted against the tiles that stand in its place: each has to lead to the
    /// tree over it, `before`.
    pub(super) fn compare_before(&mut self, tiles: &Tiles, before: &Frontier) {
        let (size, root) = (before.size(), before.root());
        while let Some(known) = self.known.get_mut(self.next).filter(|known| known.checkpoint.size < size) {
            self.next += 1;
            let Checkpoint { size: old, root: old_root, .. } = known.checkpoint;
            let leads = |proof: Vec<Hash>| verify_consistency(old, size, &proof, &old_root, &root);
            known.agrees = Some(consistency_proof(tiles, old, size).is_ok_and(leads));
        }
    }

    /// Says what does not agree, once all records were read.
    pub(super) fn judge(self, origin: &str, keys: &Succession, out: &mut Verification) {
        // By list, since the log's own checkpoints may be those of another history than a witness has seen.
        let lists = self.known.iter().map(|known| known.list).max().unwrap_or(0) + 1;
        let (mut agreed, mut disagreed) = (vec![0; lists], vec![false; lists]);
        let mut stated: Option<&Known> = None;
        for known in &self.known {
            let Known { place, list, note, checkpoint: Checkpoint { origin: of, size, root }, agrees } = known;
            let wrong = |what: String| Finding::new(what).at(place, 0);
            if of != origin {
                out.found(wrong(format!("it is a checkpoint of another log, {of}")));
                continue;
            }
            if let Err(why) = keys.judge(note, *size) {
                out.found(wrong(format!("the checkpoint of {size} records is not to be believed: {why}")));
                continue;
            }
            if let Some(other) = stated.filter(|other| other.checkpoint.size == *size && other.checkpoint.root != *root)
            {
                let text =
                    format!("two histories of {size} records are signed: the other one stands in {}", other.place);
                out.found(wrong(text));
            }
            stated = Some(known);
            match agrees {
                Some(true) => agreed[*list] = *size,
                Some(false) if disagreed[*list] => {}
                Some(false) => {
                    disagreed[*list] = true;
                    let text = format!("the first {size} records are not those that were signed");
                    out.found(wrong(match agreed[*list] {
                        0 => text,
                        same => format!("{text}: up to {same} they are"),
                    }));
                }
                None => {
                    let there = out.size;
                    out.found(wrong(format!("{size} records were signed, and {there} are there")).of(there));
                }
            }
        }
    }
}

fn latest(path: &Path) -> Result<Option<Note>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Note::parse(&text).map(Some).map_err(|error| error.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
