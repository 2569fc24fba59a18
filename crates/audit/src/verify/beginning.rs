//! Where a log begins whose oldest days were deleted after their time: the tiles stand in their place, and a record says so.

use std::path::Path;

use super::finding::{Finding, Verification};
use crate::prune::{Pruned, kept_statement, pruned_path};
use crate::record::Record;
use crate::tree::{Frontier, Tiles};

#[derive(Debug)]
pub(super) struct Beginning {
    pruned: Pruned,
    /// The record of which the file speaks was met, and says the same.
    confirmed: bool,
}

impl Beginning {
    /// What the directory says of it, where its first record is a later one.
    pub(super) fn of(directory: &Path, first: u64) -> Option<Self> {
        let pruned = kept_statement(directory).filter(|_| first > 0)?;
        Some(Self { pruned, confirmed: false })
    }

    /// What was said in it, for whoever reads the records after it.
    pub(super) const fn pruned(&self) -> &Pruned {
        &self.pruned
    }

    /// The tree over what is gone, up to the first record that is there: by the tiles, which the checkpoints bear out or not.
    pub(super) fn frontier(&self, tiles: &Tiles, first: u64, out: &mut Verification) -> Frontier {
        let size = first.min(self.pruned.first_kept);
        match tiles.frontier(size) {
            Ok(frontier) => {
                out.notes.push(format!(
                    "records 0 to {} were deleted after they were kept long enough, as record {} says",
                    i128::from(size) - 1,
                    self.pruned.index
                ));
                frontier
            }
            Err(error) => {
                out.found(Finding::new(format!("of the records that were deleted the tiles are wanting: {error}")));
                Frontier::default()
            }
        }
    }

    /// Takes a record; says what is wrong with it where it is about a deletion.
    pub(super) fn take(beginning: Option<&mut Self>, record: &Record<'_>) -> Option<Result<(), &'static str>> {
        let pruned = Pruned::of(record)?;
        if let Some(beginning) = beginning {
            beginning.confirmed |= beginning.pruned == pruned;
        }
        Some(pruned.fault().map_or(Ok(()), Err))
    }

    /// Once all records were read.
    pub(super) fn judge(&self, directory: &Path, out: &mut Verification) {
        let index = self.pruned.index;
        if !self.confirmed {
            let what = format!("it says that record {index} deletes older ones, and that record does not");
            out.found(Finding::new(what).at(pruned_path(directory), 0));
        } else if index >= out.signed {
            out.found(Finding::new("it deletes older ones, and no checkpoint signs it").of(index));
        }
    }
}
